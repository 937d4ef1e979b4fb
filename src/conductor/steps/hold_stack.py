"""hold-stack: a kept stack is at work again, so that nothing sweeps it meanwhile."""

from __future__ import annotations

from dataclasses import replace

from conductor.domain.blueprint import Blueprint
from conductor.domain.lease import NamespaceStatus
from conductor.domain.run import Run
from conductor.durable import step
from conductor.errors import NotFoundError
from conductor.ports.world import the_world
from conductor.steps.create_namespace import longest


@step("hold-stack")
async def hold_stack(run: Run, blueprint: Blueprint) -> None:
    """Renew its mark. Raises NotFoundError where it is gone by now."""
    world = the_world()
    found = await world.engine.namespaces()
    lease = next((info.lease for info in found if info.name == run.namespace), None)
    if lease is None:
        raise NotFoundError(
            f"the stack {run.namespace} is gone",
            remedy="`conductor runs rerun --from stack` raises it again.",
        )
    expires_at = lease.expires_at and max(lease.expires_at, world.clock.now() + longest(run, blueprint))
    lease = replace(lease, status=NamespaceStatus.ACTIVE, expires_at=expires_at)
    await world.engine.mark(lease)
    await world.store.save_lease(lease)
