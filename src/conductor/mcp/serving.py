"""Over HTTP: what a server mounts at `/mcp`. Each request stands for itself, so that any replica answers it.

Law: whoever mounts it has looked at the token before, and put it into the request's state; a request without one is answered to nobody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings
from starlette.routing import Route
from starlette.types import ASGIApp

from conductor.domain.access import Token
from conductor.errors import RefusedError
from conductor.mcp.server import Calling, create
from conductor.mcp.starting import ServedRuns
from conductor.mcp.visit import Caller, Site
from conductor.operations.following import Following
from conductor.operations.serving import ANNOUNCE, DISPATCH, ServerState
from conductor.ports.service import Service

PATH = "/mcp"
LARGEST_REQUEST_BYTES = 1_000_000
_HERE = ("127.0.0.1", "localhost", "[::1]")


@asynccontextmanager
async def answering(
    site: Site, calling: Calling, *, hosts: Sequence[str] = (), origins: Sequence[str] = ()
) -> AsyncIterator[ASGIApp]:
    """Give an application that answers at `/mcp` while the block lasts."""
    server = create(site, calling)
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        max_request_body_size=LARGEST_REQUEST_BYTES,
        transport_security=TransportSecuritySettings(
            allowed_hosts=[*_HERE, *(f"{one}:*" for one in _HERE), *hosts],
            allowed_origins=[*(f"http://{one}:*" for one in _HERE), *origins],
        ),
    )
    async with server.session_manager.run():
        yield app


@asynccontextmanager
async def served(
    service: Service, state: ServerState, *, public_url: str = "", hosts: Sequence[str] = ()
) -> AsyncIterator[Route]:
    """Give the route of a server: callers are known by their tokens, and reach it by its public address or one of `hosts`."""
    site = Site(
        world=service.world,
        starting=ServedRuns(service, lambda: state.ring(DISPATCH, ANNOUNCE)),
        following=Following(service.world, is_stopping=lambda: state.is_stopping),
        tracking=service.tracking,
        access=service.access,
    )
    public = urlsplit(public_url)
    reached_by = [public.netloc, f"{public.hostname}:*"] if public.hostname else []
    origins = [f"{public.scheme}://{public.netloc}"] if public.hostname else []
    async with answering(site, by_token, hosts=[*reached_by, *hosts], origins=origins) as app:
        yield Route(PATH, endpoint=app, include_in_schema=False)


def by_token(context: Context[Any, Any]) -> Caller:
    """Tell who calls by the token that the door let in."""
    request = context.request_context.request
    token = request.scope.get("state", {}).get("token") if request is not None else None
    if not isinstance(token, Token):
        raise RefusedError("nobody has shown a token", remedy="Send `Authorization: Bearer cdr_...`.")
    return Caller(principal=f"token:{token.name}", role=token.role, repositories=token.repositories)
