"""The end of every run, whatever its verdict: what there is to see is kept, the stack stays on its lease or goes."""

from __future__ import annotations

from contextlib import suppress

from conductor.domain.report import Captured
from conductor.domain.run import Run
from conductor.domain.verdict import Outcome
from conductor.errors import ConductorError
from conductor.reports.judge import judge_services
from conductor.steps.capture_logs import capture_logs
from conductor.steps.delete_namespace import delete_namespace
from conductor.steps.finish_run import finish_run
from conductor.steps.settle_lease import settle_lease
from conductor.steps.write_report import write_report


async def conclude(run: Run, outcome: Outcome, *, again: bool = False) -> Outcome:
    """Capture, judge the services, settle the lease, report, remove what is not kept; return the outcome.

    Each of them bears that the engine is gone.

    The end comes though one of them fails: its record says why, and a stack of which nobody could say whether it stays is left to its
    mark. `again` says that another attempt follows: of this one nothing stays.
    """
    captured = Captured(partial=("logs may be missing: capturing them failed",))
    lease, stays = None, not again
    with suppress(ConductorError):
        captured = await capture_logs(run)
    outcome = judge_services(outcome, captured.services)
    if not again:
        with suppress(ConductorError):
            lease = await settle_lease(run, outcome)
            stays = lease is not None
    with suppress(ConductorError):
        await write_report(run, outcome, captured, lease)
    if not stays:
        with suppress(ConductorError):
            await delete_namespace(run)
    await finish_run(run, outcome, again=again)
    return outcome
