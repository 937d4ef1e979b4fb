"""A development environment, from a request to a workspace that somebody works in.

    the default branch's file -> namespace -> secrets synced -> workspace provisioned
          -> the repository in it -> ready, on a lease

What goes wrong leaves nothing behind but the record of why. The end, wanted by somebody or by the lease, is a workflow of its own.
"""

from __future__ import annotations

from conductor.domain.environment import Environment, EnvironmentState
from conductor.durable import workflow
from conductor.errors import CancelledRunError, ConductorError
from conductor.reports.judge import broken
from conductor.steps.environments.end import remove, stop
from conductor.steps.environments.namespace import create_namespace
from conductor.steps.environments.prepare import prepare
from conductor.steps.environments.secrets import sync_secrets
from conductor.steps.environments.settle import settle
from conductor.steps.environments.workspace import await_workspace, create_workspace, seed_workspace


@workflow("dev-environment")
async def dev_environment(environment: Environment) -> EnvironmentState:
    """Bring an environment to where somebody can work in it."""
    try:
        return await _provision(environment)
    except CancelledRunError:
        raise
    except ConductorError as error:
        return await remove(environment, broken(error))


async def _provision(environment: Environment) -> EnvironmentState:
    prepared = await prepare(environment)
    await create_namespace(environment)
    await sync_secrets(environment, prepared)
    await create_workspace(environment, prepared)
    workspace = await await_workspace(environment)
    await seed_workspace(environment)
    return await settle(environment, prepared, workspace)


@workflow("release-environment")
async def release_environment(environment: Environment) -> EnvironmentState:
    """Stop what is under way, and remove all of it."""
    await stop(environment)
    return await remove(environment, None)
