"""How steps record where an environment stands, and tell it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conductor.domain.environment import Environment, EnvironmentState, EnvironmentStatus
from conductor.domain.event import Event, Kind
from conductor.errors import UsageError
from conductor.ports.environments import Environments
from conductor.ports.workspaces import Workspaces
from conductor.ports.world import World, the_world


async def record(environment: Environment, *, executor: str = "", **changes: Any) -> EnvironmentState:
    """Change its state, and append an event where the status is another than before. What is over stays as it is."""
    kept = environments_of(the_world())
    row = await kept.find(environment.id)
    before = row.state if row else EnvironmentState()
    if before.status.is_over:
        return before
    state = replace(before, **changes)
    await kept.set_state(environment, state, executor=executor)
    if state.status is not before.status:
        await _tell(environment, state)
    return state


async def _tell(environment: Environment, state: EnvironmentState) -> None:
    world = the_world()
    now = world.clock.now()
    again = state.status in (EnvironmentStatus.READY, EnvironmentStatus.SLEEPING)
    key = f"status/{state.status}" + (f"/{now.isoformat()}" if again else "")
    data = {"status": str(state.status), "message": state.message}
    await world.store.append(
        Event(run=environment.id, key=key, at=now, kind=Kind.ENVIRONMENT_CHANGED, data=data)
    )


def environments_of(world: World) -> Environments:
    """Return where they are kept. UsageError where this Conductor keeps none."""
    if world.environments is None:
        raise UsageError(
            "this Conductor keeps no environments", remedy="Ask one whose records are a database."
        )
    return world.environments


def workspaces_of(world: World, environment: Environment) -> Workspaces:
    """Return what makes its workspace. UsageError where nothing of that kind is set up."""
    found = world.workspaces.get(environment.kind)
    if found is None:
        there = ", ".join(str(kind) for kind in world.workspaces) or "none"
        raise UsageError(
            f"workspaces of the kind {environment.kind} are not set up here (there are: {there})",
            remedy="Ask for one of a kind that is.",
        )
    return found
