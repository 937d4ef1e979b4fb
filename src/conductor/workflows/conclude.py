"""The end of every run, whatever its verdict: what there is to see is kept, the stack stays on its lease or goes."""

from __future__ import annotations

from dataclasses import replace

from conductor.domain.run import Cleanup, Run
from conductor.domain.verdict import Outcome
from conductor.steps.capture_logs import capture_logs
from conductor.steps.delete_namespace import delete_namespace
from conductor.steps.finish_run import finish_run
from conductor.steps.settle_lease import settle_lease
from conductor.steps.write_report import write_report


async def conclude(run: Run, outcome: Outcome, *, again: bool = False) -> Outcome:
    """Capture, settle the lease, report, remove what is not kept. Each of them bears that the engine is gone.

    `again` says that another attempt follows: of this one nothing stays.
    """
    run = replace(run, cleanup=Cleanup.ALWAYS) if again else run
    captured = await capture_logs(run)
    lease = await settle_lease(run, outcome)
    await write_report(run, outcome, captured, lease)
    if lease is None:
        await delete_namespace(run)
    await finish_run(run, outcome, again=again)
    return outcome
