"""start-run: the run is under way, in this process."""

from __future__ import annotations

import asyncio

from conductor.domain.event import Kind
from conductor.domain.run import Run, Status
from conductor.durable import cancel, executor, status_of, step
from conductor.ports.world import the_world
from conductor.steps.tell import tell


@step("start-run")
async def start_run(run: Run) -> None:
    """Record that it runs, since when, and which process has it. A run that somebody stopped while it waited does not begin."""
    world = the_world()
    if await status_of(run.teardown_id):
        await cancel(run.workflow_id)
        await asyncio.sleep(0)  # here it is cut off
    now = world.clock.now()
    await world.store.save_run(run)
    await world.store.set_status(run, Status.RUNNING, at=now, executor=executor())
    await tell(run, Kind.RUN_STARTED, key="started", attempt=run.attempt)
