"""finish-run: the last line of the run's log."""

from __future__ import annotations

from conductor.domain.event import Kind
from conductor.domain.run import Run, Status
from conductor.domain.verdict import Outcome
from conductor.durable import executor, step
from conductor.ports.world import the_world
from conductor.steps.tell import tell


@step("finish-run")
async def finish_run(run: Run, outcome: Outcome, *, again: bool) -> None:
    """Record the verdict where every surface reads it; `again` says that another attempt follows."""
    world = the_world()
    await world.store.set_status(
        run, Status.ENDED, at=world.clock.now(), executor=executor(), outcome=outcome
    )
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
    )
