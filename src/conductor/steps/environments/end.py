"""stop-environment, remove-environment: the end of an environment, wanted or not. Nothing of it is left."""

from __future__ import annotations

from contextlib import suppress

from conductor.domain.environment import Environment, EnvironmentState, EnvironmentStatus
from conductor.domain.verdict import Outcome
from conductor.durable import cancel, step
from conductor.errors import NotFoundError
from conductor.ports.world import the_world
from conductor.steps.environments.record import record


@step("stop-environment")
async def stop(environment: Environment) -> None:
    """End its provisioning, where that is under way, and a sync of secrets with it."""
    with suppress(NotFoundError):
        await cancel(environment.workflow_id)
    await the_world().secrets.abandon(environment)


@step("remove-environment")
async def remove(environment: Environment, failure: Outcome | None) -> EnvironmentState:
    """Remove workspace and namespace, then record the end: FAILED with the reason where there is one, else RELEASED."""
    world = the_world()
    workspaces = world.workspaces.get(environment.kind)
    if workspaces:
        with suppress(NotFoundError):
            await workspaces.delete(environment)
    await world.engine.delete_namespace(environment.namespace)
    await world.store.delete_lease(environment.namespace)
    now = world.clock.now()
    if failure is None:
        return await record(
            environment, status=EnvironmentStatus.RELEASED, ended_at=now, expires_at=None, links={}
        )
    return await record(
        environment,
        status=EnvironmentStatus.FAILED,
        message=failure.message,
        reason=str(failure.reason or ""),
        fault=failure.fault,
        remedy=failure.remedy,
        ended_at=now,
        expires_at=None,
        links={},
    )
