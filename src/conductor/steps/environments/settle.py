"""settle-environment: the lease begins, and the environment is ready."""

from __future__ import annotations

from dataclasses import replace

from conductor.domain.environment import Environment, EnvironmentState, EnvironmentStatus
from conductor.domain.lease import Lease, NamespaceStatus
from conductor.domain.states import fault_of
from conductor.domain.verdict import Reason
from conductor.durable import step
from conductor.errors import RunError
from conductor.ports.dashboards import Board, Of
from conductor.ports.workspaces import WorkspaceState
from conductor.ports.world import the_world
from conductor.steps.environments.prepare import Prepared
from conductor.steps.environments.record import record


@step("settle-environment")
async def settle(environment: Environment, prepared: Prepared, workspace: WorkspaceState) -> EnvironmentState:
    """Mark the namespace as kept, from now for as long as was asked for."""
    world = the_world()
    lease = await marked(environment)
    if lease is None:
        raise RunError(
            f"the namespace of {environment.id} is gone",
            reason=Reason.GONE,
            fault=fault_of(Reason.GONE),
            remedy="Ask for the environment again.",
        )
    now = world.clock.now()
    lease = replace(lease, status=NamespaceStatus.KEPT, expires_at=now + prepared.keep_for)
    await world.engine.mark(lease)
    await world.store.save_lease(lease)
    return await record(
        environment,
        status=EnvironmentStatus.READY,
        message="",
        ready_at=now,
        expires_at=lease.expires_at,
        links={**workspace.links, **_watched(environment)},
    )


def _watched(environment: Environment) -> dict[str, str]:
    """Say where its figures and logs are seen."""
    if (dashboards := the_world().dashboards) is None:
        return {}
    board = Board(Of.ENVIRONMENT, environment.id)
    logs = dashboards.logs(board)
    return {"dashboard": dashboards.link(board), **({"logs": logs} if logs else {})}


async def marked(environment: Environment) -> Lease | None:
    """Return the mark on its namespace; None where there is none."""
    found = await the_world().engine.namespaces()
    return next((info.lease for info in found if info.name == environment.namespace), None)
