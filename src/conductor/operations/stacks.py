"""Kept stacks: list, logs, exec, open a port, extend, pin, release, put to sleep, wake, delete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from conductor.domain.blueprint import Blueprint
from conductor.domain.cost import Cost
from conductor.domain.lease import Lease, NamespaceInfo, NamespaceStatus
from conductor.domain.masking import Masker
from conductor.domain.names import attempt_of
from conductor.domain.report import LogLine
from conductor.domain.states import Phase, States, startable
from conductor.errors import (
    ConductorError,
    ConflictError,
    NotFoundError,
    RefusedError,
    UnreachableError,
    UsageError,
)
from conductor.operations.reckoning import cost_of_kept, tell_turn
from conductor.ports.engine import Address, ExecResult, Place
from conductor.ports.terminal import Terminal
from conductor.ports.world import World
from conductor.steps.place import find_blueprint
from conductor.steps.room import remove_stack
from conductor.steps.ticking import ticking

_WAKE_LIMIT = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class StackView:
    """A namespace with its lease, how its workloads stand, and what it has come to until now."""

    info: NamespaceInfo
    lease: Lease | None
    services: Mapping[str, object]
    cost: Cost | None = None
    """None where nothing is known of what it reserves."""


async def list_stacks(world: World) -> Sequence[StackView]:
    """Return what stands on the engine, first to end first."""
    found = await stacks_on(world)
    views = [
        StackView(
            info=info,
            lease=info.lease,
            services=await world.engine.states(_place(world, info)),
            cost=await cost_of_kept(world, info.lease),
        )
        for info in found
    ]
    return sorted(views, key=by_end)


async def find(world: World, name: str) -> NamespaceInfo:
    """Return the stack of that run or namespace, or unambiguous beginning of it."""
    return named(await stacks_on(world), name)


async def stacks_on(world: World) -> Sequence[NamespaceInfo]:
    """Return the namespaces that hold stacks, and no environments."""
    return [info for info in await world.engine.namespaces() if not info.is_environment]


def named(found: Sequence[NamespaceInfo], name: str) -> NamespaceInfo:
    """Choose the one of that run or namespace. NotFoundError where there is none, UsageError where it could be several."""
    called = [info for info in found if name == info.name]
    exact = [info for info in found if name == info.run]
    begins = [info for info in found if info.run.startswith(name) or info.name.startswith(name)]
    for candidates in (called, exact, begins):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            could_be = ", ".join(info.name for info in candidates)
            raise UsageError(f"{name!r} could be {could_be}", remedy="Name it in full.")
    there = ", ".join(info.run for info in found) or "none"
    raise NotFoundError(
        f"there is no stack {name!r} (there are: {there})", remedy="`conductor stacks list` shows them."
    )


async def logs(
    world: World,
    name: str,
    *,
    service: str | None = None,
    follow: bool = False,
    since: datetime | None = None,
) -> AsyncIterator[LogLine]:
    """Yield what the stack's containers write, straight from the engine, several of them in the order in which it comes."""
    info = await find(world, name)
    place = _place(world, info)
    workloads = [service] if service else list(await world.engine.states(place))
    mask = await _masker(world, info)
    queue: asyncio.Queue[LogLine | None] = asyncio.Queue(maxsize=1000)

    async def pump(workload: str) -> None:
        try:
            async for line in world.engine.logs(place, workload, since=since, follow=follow):
                await queue.put(replace(line, text=mask(line.text)))
        finally:
            await queue.put(None)

    tasks = [asyncio.create_task(pump(workload)) for workload in workloads]
    try:
        left = len(tasks)
        while left:
            line = await queue.get()
            if line is None:
                left -= 1
            else:
                yield line
        for task in tasks:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def exec(  # noqa: A001 -- the field's word
    world: World,
    name: str,
    service: str,
    command: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: timedelta | None = None,
) -> ExecResult:
    """Run a command in a running service and return what it answered."""
    info = await find(world, name)
    return await world.engine.exec(_place(world, info), service, command, stdin=stdin, timeout=timeout)


async def attach(world: World, name: str, service: str, command: Sequence[str], terminal: Terminal) -> int:
    """Run a command in a running service with somebody's terminal as its own."""
    info = await find(world, name)
    return await world.engine.attach(_place(world, info), service, command, terminal)


async def open_port(
    world: World,
    name: str,
    service: str,
    port: int,
    *,
    local_port: int = 0,
    opened: Callable[[str], None],
) -> None:
    """Forward 127.0.0.1:`local_port` (0: any free one) to a port of a service until cancelled; tells `opened` the address."""
    info = await find(world, name)
    target = await world.engine.url_of(_place(world, info), service, port)
    host, _, target_port = target.rpartition(":")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(host, int(target_port))
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pipe(reader, back), _pipe(there, writer), return_exceptions=True)

    try:
        server = await asyncio.start_server(forward, "127.0.0.1", local_port)
    except OSError as error:
        raise ConflictError(
            f"port {local_port} of this machine cannot be opened: {error.strerror or error}",
            remedy="Choose another host port, or leave it out and take a free one.",
        ) from error
    opened(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with server:
        await server.serve_forever()


async def open_address(world: World, name: str, service: str, *, port: int | None = None) -> Address:
    """Give a service an address of its own, closed to who has no token; without `port` that of its first one."""
    info, lease = await _leased(world, name)
    stack = (await _blueprint(world, lease)).stack
    return await world.engine.address_of(_place(world, info), stack, service, port=port)


async def extend(world: World, name: str, *, by: timedelta) -> Lease:
    """Let a lease end later by that much, from its end or from now, whichever is later."""
    info, lease = await _leased(world, name)
    if lease.expires_at is None:
        raise ConflictError(
            f"{info.run} is pinned and has no end", remedy="`conductor stacks release` gives it one."
        )
    return await _mark(world, replace(lease, expires_at=max(lease.expires_at, world.clock.now()) + by))


async def pin(world: World, name: str) -> Lease:
    """Keep a stack until somebody releases it."""
    _, lease = await _leased(world, name)
    return await _mark(world, replace(lease, expires_at=None))


async def release(world: World, name: str, *, keep_for: timedelta) -> Lease:
    """Give a pinned stack an end again."""
    _, lease = await _leased(world, name)
    return await _mark(world, replace(lease, expires_at=world.clock.now() + keep_for))


async def delete(world: World, name: str) -> int:
    """Remove a stack now; returns with the number of things removed, once they are gone."""
    return await remove_stack(world, await find(world, name))


async def sleep(world: World, name: str) -> Lease:
    """Stop everything in a stack and keep what it holds."""
    info, lease = await _leased(world, name)
    _refuse_at_work(info, lease)
    await world.engine.sleep(_place(world, info))
    return await _turn(world, replace(lease, status=NamespaceStatus.SLEEPING))


async def wake(world: World, name: str) -> Lease:
    """Start a sleeping stack again, in the order of its dependencies."""
    info, lease = await _leased(world, name)
    _refuse_at_work(info, lease)
    place = _place(world, info)
    blueprint = await _blueprint(world, lease)
    woken: set[str] = set()
    deadline = world.clock.now() + _WAKE_LIMIT
    async with aclosing(ticking(world, place)) as watch:
        async for states in watch:
            asleep = [s for s in blueprint.stack.services if _is_asleep(states, s.name)]
            if not asleep:
                break
            for service in asleep:
                if service.name not in woken and startable(service, states, stack=blueprint.stack):
                    woken.add(service.name)
                    await world.engine.wake(place, service.name)
            if world.clock.now() > deadline:
                waiting = ", ".join(service.name for service in asleep)
                raise UnreachableError(
                    f"still asleep: {waiting}", remedy="Their dependencies are not ready: read their logs."
                )
    return await _turn(world, replace(lease, status=NamespaceStatus.KEPT))


def _refuse_at_work(info: NamespaceInfo, lease: Lease) -> None:
    if lease.status is NamespaceStatus.ACTIVE:
        raise ConflictError(f"a run is at work in {info.run}", remedy="Wait for its verdict, or cancel it.")


def _is_asleep(states: States, name: str) -> bool:
    state = states.get(name)
    return state is not None and state.phase is Phase.SLEEPING


async def _leased(world: World, name: str) -> tuple[NamespaceInfo, Lease]:
    info = await find(world, name)
    if info.lease is None:
        raise NotFoundError(
            f"{info.name} has no readable lease", remedy="The sweeper removes it; or delete it now."
        )
    return info, info.lease


async def _mark(world: World, lease: Lease) -> Lease:
    await world.engine.mark(lease)
    await world.store.save_lease(lease)
    return lease


async def _turn(world: World, lease: Lease) -> Lease:
    """Mark it, and tell when it fell asleep or woke."""
    marked = await _mark(world, lease)
    await tell_turn(world, lease)
    return marked


def _folder(world: World, lease: Lease) -> Path:
    return world.evidence.folder(lease.run, attempt_of(lease.namespace, lease.run))


def _place(world: World, info: NamespaceInfo) -> Place:
    checkout = str(_folder(world, info.lease) / "checkout") if info.lease else ""
    return Place(namespace=info.name, run=info.run, checkout=checkout)


async def _blueprint(world: World, lease: Lease) -> Blueprint:
    row = await world.store.find_run(lease.run, attempt=attempt_of(lease.namespace, lease.run))
    blueprint = await find_blueprint(row.run) if row else None
    if blueprint is None:
        raise NotFoundError(f"the blueprint of {lease.run} is gone", remedy="Delete the stack and run again.")
    return blueprint


async def _masker(world: World, info: NamespaceInfo) -> Masker:
    """Return what hides the secrets of a stack, also in a process that did not raise it. RefusedError where they are not at hand."""
    row = await world.store.find_run(info.run)
    blueprint = await _blueprint(world, info.lease) if row and info.lease else None
    try:
        if row and blueprint and blueprint.secret_consumers:
            await world.secrets.recall(row.run, blueprint.secret_consumers)
    except ConductorError as error:
        raise RefusedError(
            f"the logs of {info.run} may show secrets that cannot be masked: {error}",
            remedy=f"Give the secrets as the run had them, or read its own record: `conductor runs logs {info.run}`.",
        ) from error
    return world.secrets.masker(info.run)


def by_end(view: StackView) -> tuple[bool, datetime | None, str]:
    """Put those first that end first, and last those that have no end."""
    end = view.lease.expires_at if view.lease else None
    return (end is None, end, view.info.name) if end else (True, None, view.info.name)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
