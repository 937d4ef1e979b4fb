"""create-environment-namespace: the isolated place, marked with its lease from the first moment."""

from __future__ import annotations

from datetime import timedelta

from conductor.domain.environment import Environment
from conductor.domain.lease import Lease, NamespaceStatus
from conductor.durable import step
from conductor.ports.engine import Place
from conductor.ports.world import the_world
from conductor.steps.room import make_room

PROVISIONING = timedelta(hours=1)
"""How long it stays where its process dies and nobody goes on with it."""


@step("create-environment-namespace")
async def create_namespace(environment: Environment) -> None:
    """Make it. There already: its mark is renewed."""
    world = the_world()
    await make_room(environment)
    now = world.clock.now()
    lease = Lease(
        namespace=environment.namespace,
        run=environment.id,
        repository=environment.repository,
        branch=environment.branch,
        principal=environment.principal,
        created_at=now,
        expires_at=now + PROVISIONING,
        status=NamespaceStatus.ACTIVE,
        is_environment=True,
    )
    await world.engine.create_namespace(place_of(environment), lease)
    await world.store.save_lease(lease)


def place_of(environment: Environment) -> Place:
    """Return its place on the engine."""
    return Place(
        namespace=environment.namespace,
        run=environment.id,
        repository=environment.repository,
        branch=environment.branch,
        environment=environment.environment,
    )
