"""start-run: the run is under way, in this process."""

from __future__ import annotations

from conductor.domain.event import Kind
from conductor.domain.run import Run, Status
from conductor.durable import executor, step
from conductor.ports.world import the_world
from conductor.steps.tell import tell


@step("start-run")
async def start_run(run: Run) -> None:
    """Record that it runs, since when, and which process has it."""
    world = the_world()
    now = world.clock.now()
    await world.store.save_run(run)
    await world.store.set_status(run, Status.RUNNING, at=now, executor=executor())
    await tell(run, Kind.RUN_STARTED, key="started", attempt=run.attempt)
