"""create-namespace: the isolated place of the run, marked with its lease from the first moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from conductor.domain.blueprint import Blueprint
from conductor.domain.lease import Lease, NamespaceStatus
from conductor.domain.run import Run
from conductor.durable import step
from conductor.ports.world import the_world
from conductor.steps.place import place_of
from conductor.steps.room import make_room

BUILDS_AND_PULLS = timedelta(hours=2)
"""How long a run may be busy before its stack is up, for the lease of one whose process dies and never comes back."""


@step("create-namespace")
async def create_namespace(run: Run, blueprint: Blueprint) -> None:
    """Make it. Its lease outlasts the run's own time limits, so that nothing is swept from under a run at work."""
    world = the_world()
    for earlier in (replace(run, attempt=number) for number in range(1, run.attempt)):
        await world.engine.delete_namespace(earlier.namespace)  # gone, unless the engine was away then
        await world.store.delete_lease(earlier.namespace)
    await make_room(run)
    lease = Lease(
        namespace=run.namespace,
        run=run.id,
        repository=run.repository,
        branch=run.source.branch or "",
        principal=run.principal,
        created_at=world.clock.now(),
        expires_at=world.clock.now() + longest(run, blueprint),
        status=NamespaceStatus.ACTIVE,
    )
    await world.engine.create_namespace(place_of(run), lease)
    await world.store.save_lease(lease)


def longest(run: Run, blueprint: Blueprint) -> timedelta:
    """Return how long a run can be at work and its stack be kept, counted from now."""
    plan = blueprint.plan
    tests = max((job.time_limit for job in blueprint.jobs), default=timedelta(0))
    return BUILDS_AND_PULLS + plan.ready_timeout + tests + (run.keep_for or plan.keep_for)
