"""Idempotency keys: a POST that is repeated with the same `Idempotency-Key` is answered as the first time, and done once.

An answer that says no is not kept: what was refused may be asked for again under the same key.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from conductor.domain.access import Token
from conductor.web.site import site_of

HEADER = "Idempotency-Key"
_LONGEST = 200

Key = Annotated[
    str | None,
    Header(
        alias=HEADER,
        description="The same key with the same request is answered as the first time, and nothing is done twice.",
        min_length=1,
        max_length=_LONGEST,
        pattern=r"^[!-~]+$",
    ),
]


def cause(request: Request, key: Key = None) -> str:
    """Name what asks: the same for the same key of the same token, else never the same."""
    token = request.scope["state"]["token"]
    return f"api/{token.id}/{key}" if key else f"api/{token.id}/{uuid.uuid4()}"


Cause = Annotated[str, Depends(cause)]


class OnceRoute(APIRoute):
    """A route whose POST honours the key."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Ask for what was answered before anything is done."""
        handle = super().get_route_handler()

        async def once(request: Request) -> Response:
            key = request.headers.get(HEADER, "")
            if request.method != "POST" or not 0 < len(key) <= _LONGEST:
                return await handle(request)
            return await _once(request, key, handle)

        return once


async def _once(
    request: Request, key: str, handle: Callable[[Request], Coroutine[Any, Any, Response]]
) -> Response:
    token = request.scope["state"]["token"]
    assert isinstance(token, Token)  # noqa: S101 -- `auth.Guard` let the request in
    site = site_of(request)
    access, now = site.service.access, site.world.clock.now()
    asked = b"\0".join((request.method.encode(), request.url.path.encode(), await request.body()))
    fingerprint = hashlib.sha256(asked).hexdigest()
    known = await access.claim(token.id, key, request=fingerprint, at=now)
    if known is not None:
        status, body = known
        return Response(body, status_code=status, media_type="application/json")
    try:
        response = await handle(request)
    except BaseException:
        await access.answered(token.id, key, status=0, body="")
        raise
    await access.answered(token.id, key, status=response.status_code, body=bytes(response.body).decode())
    return response
