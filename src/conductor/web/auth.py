"""The door: before a request is routed or its body read, it shows a token; large bodies stay outside."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from conductor.domain.access import Token
from conductor.domain.delivery import LARGEST_BYTES
from conductor.errors import ConductorError
from conductor.operations import access
from conductor.ports.service import Service
from conductor.web import problems
from conductor.web.pages import session

WEBHOOKS = "/webhooks/"
OPEN = frozenset({"/healthz", "/readyz", "/openapi.json", session.SIGN_IN})
LARGEST_REQUEST_BYTES = 1_000_000
_LONGEST_TOKEN = 200


class Guard:
    """Lets in who has a token, and what needs none: health, the API's description, signing in, and deliveries, which are signed."""

    def __init__(self, app: ASGIApp, *, service: Service, also_open: Collection[str] = ()) -> None:
        self._app = app
        self._service = service
        self._open = OPEN | frozenset(also_open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 or let it pass, with the token in its state."""
        if scope["type"] != "http":
            return
        try:
            path = scope["path"]
            if path not in self._open and not path.startswith((WEBHOOKS, session.STATIC)):
                scope.setdefault("state", {})["token"] = await self._token(Headers(scope=scope), path)
        except HTTPException as error:
            await _refused(scope, error)(scope, receive, send)
        except ConductorError as error:
            await problems.of_error(error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _token(self, headers: Headers, path: str) -> Token:
        given = headers.get("authorization", "")
        if not given and session.is_page(path):
            given = f"Bearer {session.token_text(headers)}"
        scheme, _, text = given.partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise problems.unauthorized("this needs a token")
        now = self._service.world.clock.now()
        token = await access.verify(self._service.access, text.strip()[:_LONGEST_TOKEN], now=now)
        if token is None:
            raise problems.unauthorized("the token is not valid: unknown, revoked or over")
        return token


def _refused(scope: Scope, error: HTTPException) -> Response:
    """Answer a program that it needs a token; lead a browser that opens a page to where one signs in."""
    if (
        session.is_page(scope["path"])
        and scope["method"] == "GET"
        and session.wants_html(Headers(scope=scope))
    ):
        return session.to_sign_in(scope)
    return problems.of_http(error)


class Limit:
    """Refuses bodies that are larger than they may be: by their announced length, and else while they come."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413, or count while the body is read."""
        if scope["type"] != "http":
            return
        limit = LARGEST_BYTES if scope["path"].startswith(WEBHOOKS) else LARGEST_REQUEST_BYTES
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > limit:
            await problems.of_http(_too_large(limit))(scope, receive, send)
            return
        await self._app(scope, _counted(receive, limit), send)


def _counted(receive: Receive, limit: int) -> Receive:
    came = 0

    async def counting() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > limit:
            raise _too_large(limit)
        return message

    return counting


def _too_large(limit: int) -> problems.HttpProblem:
    return problems.HttpProblem(
        413, f"a request may have {limit} bytes", remedy="Send less.", headers={"Connection": "close"}
    )
