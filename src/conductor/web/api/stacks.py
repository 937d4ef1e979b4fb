"""Stacks: what still stands, and for how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path

from conductor.domain.lease import Lease, NamespaceInfo, NamespaceStatus
from conductor.errors import ConflictError, NotFoundError
from conductor.operations import stacks
from conductor.ports.engine import Place
from conductor.web.api.schemas import Extend, Page, Release, Removed, Stack
from conductor.web.api.visible import find_stack, sees
from conductor.web.idempotency import Key, OnceRoute
from conductor.web.site import Caller, Reader, Runner

router = APIRouter(prefix="/stacks", tags=["stacks"], route_class=OnceRoute)
StackName = Annotated[
    str, Path(max_length=100, description="The namespace, or the run's id.", examples=["shop-k3v9qd"])
]


@router.get("", operation_id="listStacks")
async def list_stacks(caller: Reader) -> Page[Stack]:
    """List what stands."""
    found = await caller.site.world.engine.namespaces()
    return Page(
        items=[await _shown(caller, info) for info in found if sees(caller, info) and not info.is_environment]
    )


@router.get("/{stack}", operation_id="getStack")
async def get(stack: StackName, caller: Reader) -> Stack:
    """Show one stack."""
    return await _shown(caller, await find_stack(caller, stack))


@router.post("/{stack}/extend", operation_id="extendStack")
async def extend(stack: StackName, body: Extend, caller: Runner, _key: Key = None) -> Lease:
    """Let it stand longer, from its end or from now, whichever is later."""
    info = await _leased(caller, stack)
    lease = await stacks.extend(caller.site.world, info.name, by=timedelta(seconds=body.by_seconds))
    return await _changed(caller, "stack.extend", lease)


@router.post("/{stack}/pin", operation_id="pinStack")
async def pin(stack: StackName, caller: Runner, _key: Key = None) -> Lease:
    """Keep it until somebody releases it."""
    info = await _leased(caller, stack)
    return await _changed(caller, "stack.pin", await stacks.pin(caller.site.world, info.name))


@router.post("/{stack}/release", operation_id="releaseStack")
async def release(stack: StackName, body: Release, caller: Runner, _key: Key = None) -> Lease:
    """Give it an end again."""
    info = await _leased(caller, stack)
    keep_for = timedelta(seconds=body.keep_for_seconds)
    lease = await stacks.release(caller.site.world, info.name, keep_for=keep_for)
    return await _changed(caller, "stack.release", lease)


@router.post("/{stack}/sleep", operation_id="sleepStack")
async def sleep(stack: StackName, caller: Runner, _key: Key = None) -> Lease:
    """Stop everything in it and keep what it holds."""
    info = await _leased(caller, stack)
    return await _changed(caller, "stack.sleep", await stacks.sleep(caller.site.world, info.name))


@router.post("/{stack}/wake", operation_id="wakeStack")
async def wake(stack: StackName, caller: Runner, _key: Key = None) -> Lease:
    """Start it again, in the order of its dependencies; answered once it is up."""
    info = await _leased(caller, stack)
    return await _changed(caller, "stack.wake", await stacks.wake(caller.site.world, info.name))


@router.delete("/{stack}", operation_id="deleteStack")
async def delete(stack: StackName, caller: Runner) -> Removed:
    """Remove it now; answered once it is gone. Report and logs of its run stay."""
    info = await find_stack(caller, stack)
    if info.lease and info.lease.status is NamespaceStatus.ACTIVE:
        raise ConflictError(f"a run is at work in {info.run}", remedy="Wait for its verdict, or cancel it.")
    things = await stacks.delete(caller.site.world, info.name)
    repository = info.lease.repository if info.lease else ""
    await caller.did("stack.delete", info.name, repository=repository, detail=f"{things} things")
    return Removed(things=things)


async def _leased(caller: Caller, name: str) -> NamespaceInfo:
    info = await find_stack(caller, name)
    if info.lease is None:
        raise NotFoundError(f"{info.name} has no readable lease", remedy="Delete it now.")
    return info


async def _changed(caller: Caller, what: str, lease: Lease) -> Lease:
    ends = lease.expires_at.isoformat() if lease.expires_at else "never"
    await caller.did(
        what, lease.namespace, repository=lease.repository, detail=f"{lease.status}, ends {ends}"
    )
    return lease


async def _shown(caller: Caller, info: NamespaceInfo) -> Stack:
    states = await caller.site.world.engine.states(Place(namespace=info.name, run=info.run))
    return Stack(
        namespace=info.name,
        run=info.run,
        lease=info.lease,
        created_at=info.created_at,
        addresses=list(info.addresses),
        services=dict(states),
    )
