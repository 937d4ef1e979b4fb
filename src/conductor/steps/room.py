"""Room for a run: where the budget of stacks is full, the oldest kept one goes.

No step of its own: `create-namespace` makes room before it takes it. Law: a stack that a run is at work in, and one that is pinned, never
goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from conductor.domain.environment import Environment, EnvironmentStatus
from conductor.domain.event import Kind
from conductor.domain.lease import NamespaceInfo
from conductor.domain.names import attempt_of
from conductor.domain.run import Run
from conductor.domain.verdict import Fault, Reason
from conductor.errors import RunError
from conductor.ports.world import World, the_world
from conductor.steps.place import forget_checkout
from conductor.steps.tell import tell


async def make_room(run: Run | Environment) -> None:
    """Remove as many kept stacks as the budget asks for, oldest first. RunError where all are at work or pinned."""
    world = the_world()
    budget = world.budget.namespaces
    if budget is None:
        return
    others = [info for info in await world.engine.namespaces() if info.name != run.namespace]
    surplus = len(others) + 1 - budget
    going = _oldest_first(others)[: max(0, surplus)]
    if len(going) < surplus:
        raise RunError(
            f"{len(others)} stacks are at work or pinned, and the budget is {budget}",
            reason=Reason.QUOTA,
            fault=Fault.PLATFORM,
            remedy="Wait for a run to end, release a pinned stack, or raise CONDUCTOR_MAX_STACKS.",
        )
    for info in going:
        await remove_stack(world, info)
        text = f"the kept stack of {info.run} was removed to make room: the budget is {budget} stacks"
        await tell(run, Kind.NOTE, key=f"room/{info.name}", text=text)


async def remove_stack(world: World, info: NamespaceInfo) -> int:
    """Remove a namespace, its lease and the checkout that it mounted files from; the evidence stays. Returns the things removed."""
    removed = await world.engine.delete_namespace(info.name)
    await world.store.delete_lease(info.name)
    if info.lease and info.lease.is_environment:
        await _end_environment(world, info.run)
        return removed
    attempt = attempt_of(info.name, info.run)
    if info.run and await world.store.find_run(info.run, attempt=attempt):
        await asyncio.to_thread(forget_checkout, info.run, attempt)
    return removed


async def _end_environment(world: World, name: str) -> None:
    """Record that it is over: nothing of it is left on the engine, whoever removed it."""
    row = await world.environments.find(name) if world.environments else None
    if row and world.environments:
        over = EnvironmentStatus.RELEASED
        ended = replace(row.state, status=over, ended_at=world.clock.now(), expires_at=None)
        await world.environments.set_state(row.environment, ended)


def _oldest_first(infos: Sequence[NamespaceInfo]) -> list[NamespaceInfo]:
    ends = [(info.lease.created_at, info) for info in infos if info.lease and info.gives_way]
    return [info for _, info in sorted(ends, key=lambda one: one[0])]
