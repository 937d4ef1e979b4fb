"""Stacks that still stand: how long they last, and the forms that change that."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from conductor.domain.lease import Lease, NamespaceInfo, NamespaceStatus
from conductor.errors import ConflictError, UsageError
from conductor.operations import stacks
from conductor.operations.reckoning import cost_of_kept
from conductor.operations.stacks import StackView
from conductor.ports.engine import Place
from conductor.web.api.stacks import StackName
from conductor.web.api.visible import find_stack, sees
from conductor.web.pages.rendering import PageRoute, address, render
from conductor.web.pages.session import Form
from conductor.web.site import Caller, Reader, Runner

router = APIRouter(prefix="/stacks", route_class=PageRoute, include_in_schema=False)
LONGEST_HOURS = 24 * 30


@router.get("")
async def list_stacks(request: Request, caller: Reader) -> Response:
    """List what stands and is the visitor's to see, first to end first."""
    there = [one for one in await stacks.stacks_on(caller.site.world) if sees(caller, one)]
    views = [await _view(caller, one) for one in there]
    return render(request, "stacks.html", views=sorted(views, key=stacks.by_end))


@router.post("/{stack}/extend")
async def extend(stack: StackName, caller: Runner, form: Form) -> Response:
    """Let it stand longer."""
    info = await find_stack(caller, stack)
    lease = await stacks.extend(caller.site.world, info.name, by=hours_of(form))
    return await _changed(caller, "stack.extend", lease)


@router.post("/{stack}/sleep")
async def sleep(stack: StackName, caller: Runner, form: Form) -> Response:  # noqa: ARG001 -- its proof was looked at
    """Stop everything in it and keep what it holds."""
    info = await find_stack(caller, stack)
    return await _changed(caller, "stack.sleep", await stacks.sleep(caller.site.world, info.name))


@router.post("/{stack}/wake")
async def wake(stack: StackName, caller: Runner, form: Form) -> Response:  # noqa: ARG001 -- its proof was looked at
    """Start it again."""
    info = await find_stack(caller, stack)
    return await _changed(caller, "stack.wake", await stacks.wake(caller.site.world, info.name))


@router.post("/{stack}/delete")
async def delete(stack: StackName, caller: Runner, form: Form) -> Response:  # noqa: ARG001 -- its proof was looked at
    """Remove it for good. Report and logs of its run stay."""
    info = await find_stack(caller, stack)
    if info.lease and info.lease.status is NamespaceStatus.ACTIVE:
        raise ConflictError(f"a run is at work in {info.run}", remedy="Wait for its verdict, or cancel it.")
    things = await stacks.delete(caller.site.world, info.name)
    repository = info.lease.repository if info.lease else ""
    await caller.did("stack.delete", info.name, repository=repository, detail=f"{things} things")
    return RedirectResponse("/stacks", status_code=303)


def hours_of(form: dict[str, str]) -> timedelta:
    """Read how much longer. UsageError where it is no number of hours."""
    given = form.get("hours", "")
    if not given.isdecimal() or len(given) > 3 or not 1 <= int(given) <= LONGEST_HOURS:  # noqa: PLR2004 -- digits
        raise UsageError(f"{given[:20]!r} is no number of hours", remedy=f"Choose 1 to {LONGEST_HOURS}.")
    return timedelta(hours=int(given))


async def _view(caller: Caller, info: NamespaceInfo) -> StackView:
    world = caller.site.world
    states = await world.engine.states(Place(namespace=info.name, run=info.run))
    return StackView(info=info, lease=info.lease, services=states, cost=await cost_of_kept(world, info.lease))


async def _changed(caller: Caller, what: str, lease: Lease) -> Response:
    ends = lease.expires_at.isoformat() if lease.expires_at else "never"
    detail = f"{lease.status}, ends {ends}"
    await caller.did(what, lease.namespace, repository=lease.repository, detail=detail)
    return RedirectResponse(address("runs", lease.run), status_code=303)
