"""delete-namespace: nothing of the run is left on the engine."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from conductor.domain.event import Kind
from conductor.domain.lease import NamespaceStatus
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
        await _leave_to_the_sweeper(run)
        return 0
    await world.store.delete_lease(run.namespace)
    await asyncio.to_thread(forget_checkout, run.id, run.home)
    if removed:
        await tell(run, Kind.LEASE_CHANGED, key="deleted", subject=run.namespace, status="deleted")
    return removed


async def _leave_to_the_sweeper(run: Run) -> None:
    """Record that the namespace is to go: its mark, which cannot be reached, still says that a run is at work."""
    store, now = the_world().store, the_world().clock.now()
    for lease in await store.leases():
        if lease.namespace == run.namespace:
            await store.save_lease(replace(lease, status=NamespaceStatus.DELETING, expires_at=now))
