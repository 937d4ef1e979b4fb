"""The server itself: the queue, how it is, and its settings as it read them."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from conductor.domain.access import Role
from conductor.errors import ConductorError
from conductor.web.api import queue
from conductor.web.api import server as told
from conductor.web.pages.rendering import PageRoute, render
from conductor.web.pages.session import Form
from conductor.web.site import Caller, Operator, Reader

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MOST_DEEDS = 30


@router.get("/queue")
async def show_queue(request: Request, caller: Reader) -> Response:
    """Show who is at work and who waits for what."""
    return render(
        request,
        "queue.html",
        queue=await queue.get(caller),
        limits=_limits(caller),
        operates=_operates(caller),
    )


@router.post("/queue/drain")
async def drain(caller: Operator, form: Form) -> Response:
    """Admit nothing new, or admit again."""
    on = form.get("on") == "yes"
    await caller.site.service.queue.drain(on)
    await caller.did("queue.drain" if on else "queue.undrain")
    caller.site.has_news()
    return RedirectResponse("/queue", status_code=303)


@router.get("/server")
async def show_server(request: Request, caller: Reader) -> Response:
    """Show how it is; to operators its settings, its latest deliveries and who did what, too."""
    shown: dict[str, Any] = {"settings": (), "deliveries": (), "deeds": ()}
    if _operates(caller):
        shown = {
            "settings": (await told.settings(caller)).items,
            "deliveries": (await told.list_deliveries(caller, limit=MOST_DEEDS)).items,
            "deeds": (await told.audit(caller, limit=MOST_DEEDS)).items,
        }
    return render(
        request,
        "server.html",
        version=version("conductor"),
        started_at=caller.site.state.started_at,
        health=await _health(caller),
        operates=_operates(caller),
        forges=sorted(caller.site.service.hostings),
        **shown,
    )


async def _health(caller: Caller) -> list[tuple[str, str, str]]:
    """Ask what the server stands on, and tell of each how it is: its name, a word, and what is in the way."""
    site = caller.site
    asked = {"records": site.service.queue.is_draining, "engine": site.world.engine.namespaces}
    found = [
        (
            "server",
            "failed" if site.state.is_stopping else "ok",
            "about to stop" if site.state.is_stopping else "",
        )
    ]
    for name, ask in asked.items():
        try:
            await ask()
        except ConductorError as error:
            found.append((name, "failed", error.message))
        else:
            found.append((name, "ok", ""))
    return found


def _limits(caller: Caller) -> Any:
    return caller.site.service.policy.limits


def _operates(caller: Caller) -> bool:
    return caller.token.role.includes(Role.ADMIN) and caller.repositories is None
