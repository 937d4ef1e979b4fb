"""The socket that a server listens on, and the loop that answers on it until the process is told to stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import uvicorn
from starlette.types import ASGIApp

from conductor.errors import UsageError

WAITING_CONNECTIONS = 2048


def bound(listen: str) -> socket.socket:
    """Open the socket for `ADDRESS:PORT`; port 0 is any free one. UsageError where it is taken, or no address of this machine."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, int(port)))
        opened.listen(WAITING_CONNECTIONS)
    except (OSError, OverflowError) as error:
        opened.close()
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(
            f"listening on {listen}: {reason}",
            remedy="Name another address with --listen or CONDUCTOR_LISTEN.",
        ) from error
    return opened


def address_of(opened: socket.socket) -> str:
    """Write the address that people open."""
    host, port = opened.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 -- compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def answer(
    app: ASGIApp, opened: socket.socket, *, grace: timedelta, on_stop: Callable[[], None] | None = None
) -> None:
    """Answer until SIGTERM or SIGINT comes; then let what was asked already end within `grace`.

    `on_stop` is called when the signal comes: streams that never end by themselves end then.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=True,
        timeout_graceful_shutdown=max(1, int(grace.total_seconds())),
        timeout_keep_alive=75,
        h11_max_incomplete_event_size=64 * 1024,
    )
    await _Server(config, on_stop).serve(sockets=[opened])


@asynccontextmanager
async def answering(app: ASGIApp, opened: socket.socket) -> AsyncIterator[None]:
    """Answer while the block lasts; signals are the caller's."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve(sockets=[opened]))  # noqa: SLF001 -- `serve` without its handlers of signals
    try:
        yield
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._on_stop:
            self._on_stop()
        await super().shutdown(sockets)
