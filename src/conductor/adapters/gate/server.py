"""The gate's server: a request's host chooses the service, its token whether it is passed on.

Law: nothing that a request says is written to a log: its address may hold the token.
"""

from __future__ import annotations

import asyncio
import html
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import ClientSession, hdrs, web
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from conductor.adapters.gate.admission import (
    Answer,
    Lock,
    Shown,
    cookie_for,
    find_token,
    host_of,
    judge,
    without_token,
)
from conductor.adapters.gate.forwarding import client, forward
from conductor.errors import ConfigurationError, Problem, UsageError

PREFIX = "CONDUCTOR_GATE_"
_DIGEST = r"[0-9a-f]{64}"
_OWN = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_GOODBYE_SECONDS = 1
_silent = logging.getLogger(f"{__name__}.silent")
_silent.disabled = True  # aiohttp writes what it could not read, which may be an address


class GateSettings(BaseSettings):
    """What a gate is told by its environment. The kubernetes adapter writes it, and nobody else has to."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    digest: str = Field(pattern=f"^{_DIGEST}$", description="SHA-256 of the token, in hexadecimal.")
    routes: dict[str, str] = Field(description="JSON: host -> `service:port`.")
    secure: bool = Field(default=True, description="Visitors come by https.")
    address: str = Field(default="", description="Where it listens; everywhere, if empty.")
    listen: int = Field(default=8080, ge=0, le=65535, description="The port; 0 is any free one.")

    @field_validator("routes", mode="after")
    @classmethod
    def _lower(cls, value: dict[str, str]) -> dict[str, str]:
        return {host.lower(): service for host, service in value.items()}


def read_settings() -> GateSettings:
    """Read the environment. ConfigurationError names what is wrong, and no value."""
    try:
        return GateSettings()
    except ValidationError as error:
        problems = [
            Problem(
                file=f"environment variable {PREFIX}{str(detail['loc'][0]).upper()}", message=detail["msg"]
            )
            for detail in error.errors(include_input=False, include_url=False)
        ]
    except ValueError:
        problems = [Problem(file=f"environment variable {PREFIX}ROUTES", message="it is no JSON")]
    raise ConfigurationError(
        problems, remedy="`conductor stacks open --address` starts a gate with what it needs."
    )


class Gate:
    """Answers requests to the hosts of one stack."""

    def __init__(self, lock: Lock, routes: Mapping[str, str], session: ClientSession) -> None:
        self._lock = lock
        self._routes = routes
        self._session = session

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Judge a request, and pass it on if it is to be."""
        host = host_of(request.headers.getall(hdrs.HOST, []), self._routes)
        if host is None:
            return _page(404, "No service has this address.", "Its name, or the stack, may have changed.")
        if not request.raw_path.startswith("/"):
            return _page(400, "This is no address of a page.", "It begins with a slash.")
        match judge(self._lock, _shown(request)):
            case Answer.PASS:
                return await forward(
                    request, self._session, self._lock, host=host, service=self._routes[host]
                )
            case Answer.REMEMBER:
                return self._remember(request.raw_path)
            case Answer.FOREIGN:
                return _page(403, "Another site asked for this.", "Open the address itself.")
            case Answer.UNKNOWN:
                return _closed()

    def _remember(self, target: str) -> web.Response:
        headers = {
            "Location": without_token(self._lock, target),
            "Set-Cookie": cookie_for(self._lock, find_token(self._lock, target)),
        }
        return web.Response(status=303, headers={**_OWN, **headers})


@asynccontextmanager
async def opened(settings: GateSettings) -> AsyncIterator[int]:
    """Run a gate, and give the port that it listens on."""
    hosts = frozenset(settings.routes)
    lock = Lock(digest=bytes.fromhex(settings.digest), secure=settings.secure, hosts=hosts)
    async with client() as session:
        gate = Gate(lock, settings.routes, session)
        server = web.Server(gate.answer, access_log=None, logger=_silent)
        runner = web.ServerRunner(server, shutdown_timeout=_GOODBYE_SECONDS)
        await runner.setup()
        try:
            site = web.TCPSite(runner, settings.address or None, settings.listen)
            await _start(site, settings.listen)
            yield int(runner.addresses[0][1])
        finally:
            await runner.cleanup()


async def serve() -> None:
    """Run the gate that the environment describes, until cancelled."""
    async with opened(read_settings()):
        await asyncio.Event().wait()


async def _start(site: web.TCPSite, port: int) -> None:
    try:
        await site.start()
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be opened: {error.strerror or error}",
            remedy=f"Name another one with {PREFIX}LISTEN.",
        ) from error


def _shown(request: web.BaseRequest) -> Shown:
    return Shown(
        method=request.method,
        target=request.raw_path,
        authorization=request.headers.get(hdrs.AUTHORIZATION, ""),
        cookies=tuple(request.headers.getall(hdrs.COOKIE, [])),
        origin=request.headers.get(hdrs.ORIGIN, ""),
        fetch_site=request.headers.get("Sec-Fetch-Site", ""),
    )


def _closed() -> web.Response:
    how = (
        "It belongs to a stack that Conductor keeps. `conductor stacks open RUN SERVICE --address` prints the address with the "
        "token that opens it. Programs send the token as `Authorization: Bearer TOKEN`."
    )
    answer = _page(401, "This address is closed to who has no token.", how)
    answer.headers["WWW-Authenticate"] = 'Bearer realm="conductor"'
    return answer


def _page(status: int, title: str, text: str) -> web.Response:
    body = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        "<body style='font-family:sans-serif;max-width:40em;margin:4em auto'>"
        f"<h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>\n"
    )
    return web.Response(status=status, text=body, content_type="text/html", headers=_OWN)
