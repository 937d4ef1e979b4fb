"""Development environments: where each stands, what leads into it, and the forms of whoever made it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from conductor.domain.access import Role
from conductor.operations import environments
from conductor.operations.ownership import refuse_unless_own
from conductor.ports.environments import EnvironmentRow
from conductor.web.api.environments import Named
from conductor.web.api.visible import find_environment
from conductor.web.pages.logs import drawn
from conductor.web.pages.rendering import PageRoute, address, render
from conductor.web.pages.session import Form
from conductor.web.pages.stacks import hours_of
from conductor.web.site import Caller, Reader, Runner

router = APIRouter(prefix="/environments", route_class=PageRoute, include_in_schema=False)
SHOWN_LINES = 200


@router.get("")
async def list_environments(
    *, request: Request, caller: Reader, ended: Annotated[bool, Query()] = False
) -> Response:
    """List them, latest first."""
    world = caller.site.world
    kept = world.environments is not None
    found = await environments.list_environments(world, caller.repositories, ended=ended) if kept else ()
    return render(request, "environments.html", views=found, ended=ended)


@router.get("/{environment}")
async def show(request: Request, environment: Named, caller: Reader) -> Response:
    """Show one: where it stands, its steps, what leads into it."""
    row = await find_environment(caller, environment)
    view = await environments.find(caller.site.world, row.environment.id)
    lines = caller.site.world.evidence.read_log(row.environment.id, row.environment.attempt, tail=SHOWN_LINES)
    is_own = row.environment.principal == caller.name or caller.token.role.includes(Role.ADMIN)
    written = [drawn(line) async for line in lines]
    return render(request, "environment.html", view=view, is_own=is_own, lines=written)


@router.post("/{environment}/extend")
async def extend(environment: Named, caller: Runner, form: Form) -> Response:
    """Let it last longer."""
    row = await _own(caller, environment)
    await environments.extend(caller.site.world, row.environment.id, by=hours_of(form))
    return await _changed(caller, "environment.extend", row)


@router.post("/{environment}/sleep")
async def sleep(environment: Named, caller: Runner, form: Form) -> Response:  # noqa: ARG001 -- its proof was looked at
    """Stop its workspace and keep what it holds."""
    row = await _own(caller, environment)
    await environments.sleep(caller.site.world, row.environment.id)
    return await _changed(caller, "environment.sleep", row)


@router.post("/{environment}/wake")
async def wake(environment: Named, caller: Runner, form: Form) -> Response:  # noqa: ARG001 -- its proof was looked at
    """Start its workspace again."""
    row = await _own(caller, environment)
    await environments.wake(caller.site.world, row.environment.id)
    return await _changed(caller, "environment.wake", row)


@router.post("/{environment}/delete")
async def release(environment: Named, caller: Runner, form: Form) -> Response:  # noqa: ARG001 -- its proof was looked at
    """End it. What was not pushed is gone."""
    row = await _own(caller, environment)
    await environments.release(caller.site.world, row.environment.id)
    return await _changed(caller, "environment.release", row)


async def _own(caller: Caller, name: str) -> EnvironmentRow:
    row = await find_environment(caller, name)
    refuse_unless_own(
        row.environment.id, row.environment.principal, principal=caller.name, role=caller.token.role
    )
    return row


async def _changed(caller: Caller, what: str, row: EnvironmentRow) -> Response:
    await caller.did(what, row.environment.id, repository=row.environment.repository)
    return RedirectResponse(address("environments", row.environment.id), status_code=303)
