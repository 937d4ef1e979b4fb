"""delete-namespace: nothing of the run is left on the engine."""

from __future__ import annotations

from conductor.domain.event import Kind
from conductor.domain.run import Run
from conductor.durable import step
from conductor.errors import UnreachableError
from conductor.ports.world import the_world
from conductor.steps.place import forget_checkout
from conductor.steps.tell import tell


@step("delete-namespace")
async def delete_namespace(run: Run) -> int:
    """Return how many things were removed. An engine that is gone leaves the work to the sweeper, and the mark where it is."""
    world = the_world()
    try:
        removed = await world.engine.delete_namespace(run.namespace)
    except UnreachableError as error:
        text = f"the stack could not be removed now ({error.message}); the sweeper will"
        await tell(run, Kind.NOTE, key="delete-namespace", text=text)
        return 0
    await world.store.delete_lease(run.namespace)
    forget_checkout(run.id, run.attempt)
    if removed:
        await tell(run, Kind.LEASE_CHANGED, key="deleted", subject=run.namespace, status="deleted")
    return removed
