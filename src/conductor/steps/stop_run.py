"""stop-run: the run and its children are cancelled, and its jobs asked to end."""

from __future__ import annotations

from datetime import timedelta

from conductor.domain.run import Run
from conductor.durable import cancel, step
from conductor.errors import ConductorError
from conductor.ports.world import the_world
from conductor.steps.place import find_blueprint, place_of

GRACE = timedelta(seconds=10)


@step("stop-run")
async def stop_run(run: Run) -> None:
    """Cancel first, so that nothing new starts; then give the tests their grace to write what they have."""
    await cancel(run.workflow_id)
    blueprint = find_blueprint(run)
    for job in blueprint.jobs if blueprint else ():
        try:
            await the_world().engine.stop(place_of(run), job.workload.name, grace=GRACE)
        except ConductorError:
            return  # the engine is gone, and the job with it or out of reach; the report says so
