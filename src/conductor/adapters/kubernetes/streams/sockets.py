"""Two-way streams of a pod (exec, attach, port-forward): an API server's websockets with numbered channels.

The protocol is the API server's `v5.channel.k8s.io` (KEP-4006): each message begins with the number of its channel, and closing one
direction is a message too. Law: what is not read is not asked for, so that a slow reader slows its writer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import wsproto.utilities
from httpx2.websockets._exceptions import HTTPXWSException, WebSocketDisconnect, WebSocketUpgradeError

from conductor.adapters.kubernetes.api.client import Client
from conductor.errors import ConductorError

STDIN, STDOUT, STDERR, STATUS, RESIZE = range(5)
COMMANDS, PORTS = "v5.channel.k8s.io", "v4.channel.k8s.io"
"""Protocols: of commands, and of port-forwarding, which has no newer one on plain websockets."""
PIECE = 2**15
"""Bytes that are sent in one message."""
_END = 255
_AHEAD = 32
"""Messages that are read before somebody takes them."""

Words = Sequence[tuple[str, str]]
"""Parameters of a request, in order; names may repeat."""


@dataclass(frozen=True, slots=True)
class Message:
    """What came on a channel."""

    channel: int
    data: bytes


class Socket:
    """One open stream. Made by `opened`."""

    def __init__(self, websocket: Any, arrived: asyncio.Queue[Message | ConductorError | None]) -> None:
        self._websocket = websocket
        self._arrived = arrived
        self._over = False

    async def send(self, channel: int, data: bytes) -> None:
        """Send bytes on a channel, in pieces. What the other side no longer takes is dropped: its answer says why."""
        for start in range(0, len(data), PIECE):
            await self._send(bytes([channel]) + data[start : start + PIECE])

    async def end(self, channel: int) -> None:
        """Say that nothing more comes on a channel."""
        await self._send(bytes([_END, channel]))

    async def receive(self) -> Message | None:
        """Return the next message; None at the end. UnreachableError where the connection was lost."""
        if self._over:
            return None
        found = await self._arrived.get()
        if isinstance(found, Message):
            return found
        self._over = True
        if found is not None:
            raise found
        return None

    async def _send(self, message: bytes) -> None:
        try:
            await self._websocket.send_bytes(message)
        except (HTTPXWSException, wsproto.utilities.LocalProtocolError):
            return  # closed from the other side: reading tells how


@asynccontextmanager
async def opened(
    client: Client, path: str, parameters: Words, *, protocol: str, doing: str
) -> AsyncIterator[Socket]:
    """Open a stream of a pod. Raises what `problems` makes of a refusal, and UnreachableError.

    A task of its own reads: the library's scopes must not be left open in somebody's generator.
    """
    arrived: asyncio.Queue[Message | ConductorError | None] = asyncio.Queue(_AHEAD)
    made: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    asked = _Asked(path=path, parameters=parameters, protocol=protocol, doing=doing)
    reading = asyncio.create_task(_read(client, asked, made, arrived))
    try:
        yield Socket(await made, arrived)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    path: str
    parameters: Words
    protocol: str
    doing: str


async def _read(
    client: Client,
    asked: _Asked,
    made: asyncio.Future[Any],
    arrived: asyncio.Queue[Message | ConductorError | None],
) -> None:
    """Open, and pass on what comes; the last thing is None or an error."""
    ending: ConductorError | None = None
    try:
        async with client.http.websocket(
            asked.path,
            subprotocols=[asked.protocol],
            params=list(asked.parameters),
            max_message_size_bytes=2**24,
        ) as websocket:
            made.set_result(websocket)
            while True:
                data = await websocket.receive_bytes()
                if data:
                    await arrived.put(Message(data[0], data[1:]))
    except BaseException as error:
        reason = _plain(error)
        if isinstance(reason, asyncio.CancelledError):
            made.cancel()
            raise
        ending = await _ending(client, asked.doing, reason)
    if not made.done():
        made.set_exception(ending or client.lost(asked.doing, EOFError("it closed the connection")))
        return
    await arrived.put(ending)


async def _ending(client: Client, doing: str, error: BaseException) -> ConductorError | None:
    """Say why a stream ended; None for an orderly end."""
    match error:
        case WebSocketDisconnect(code=1000 | 1005):
            return None
        case WebSocketUpgradeError():
            return client.refused(doing, error.response.status_code, await _answer(error.response))
        case HTTPXWSException() | httpx2.TransportError() | OSError():
            return client.lost(doing, error)
        case ConductorError():
            return error
    raise error


async def _answer(response: httpx2.Response) -> dict[str, Any]:
    try:
        found = json.loads(await response.aread())
    except (ValueError, httpx2.HTTPError, httpx2.StreamError):
        return {}
    return found if isinstance(found, dict) else {}


def _plain(error: BaseException) -> BaseException:
    """Take an error out of the groups in which the library's tasks put it."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error
