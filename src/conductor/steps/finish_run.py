"""finish-run: nothing is at work for it any more, and the last line of its log is written."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from conductor.domain.event import Kind
from conductor.domain.run import Run, Status
from conductor.domain.verdict import Outcome, Verdict
from conductor.durable import executor, step
from conductor.errors import ConductorError
from conductor.ports.world import the_world
from conductor.steps.tell import tell

_TESTED = (Verdict.PASSED, Verdict.FAILED)
"""Every image was there before the tests began."""


@step("finish-run")
async def finish_run(run: Run, outcome: Outcome, *, again: bool) -> None:
    """Record the verdict where every surface reads it; `again` says that another attempt follows.

    The row comes last: a run that has ended has said so in its log. With another attempt to follow, that one is on record first, so that a
    run is never without an attempt that can be resumed or stopped.
    """
    world = the_world()
    if outcome.verdict not in _TESTED:
        with suppress(ConductorError):
            await world.builder.stop(run.id)
    now = world.clock.now()
    row = await world.store.find_run(run.id, attempt=run.attempt)
    began = (row.started_at if row else None) or run.requested_at
    await tell(
        run,
        Kind.RUN_ENDED,
        key="ended",
        verdict=outcome.verdict,
        reason=outcome.reason,
        fault=outcome.fault,
        subject_of_outcome=outcome.subject,
        message=outcome.message,
        remedy=outcome.remedy,
        again=again,
        attempt=run.attempt,
        repository=run.repository,
        seconds=(now - began).total_seconds(),
        **await _cost(run),
    )
    if again:
        following = replace(run, attempt=run.attempt + 1)
        await world.store.save_run(following)
        await world.store.set_status(following, Status.RUNNING, at=now, executor=executor())
    await world.store.set_status(run, Status.ENDED, at=now, executor=executor(), outcome=outcome)


async def _cost(run: Run) -> dict[str, Any]:
    """Say what it came to, by its report."""
    report = await the_world().store.find_report(run.id, run.attempt)
    if report is None or report.cost is None:
        return {}
    cost = report.cost
    found: dict[str, Any] = {"cpu_hours": cost.cpu_hours, "gib_hours": cost.gib_hours}
    return found if cost.price is None else {**found, "price": cost.price, "currency": cost.currency}
