"""Ports of pods on this machine: a listener on 127.0.0.1 for each, with one stream through the API server for each connection.

A listener lives as long as this process and finds the pod anew for each connection, so that it outlives the pod. Law: it listens on
127.0.0.1 and nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
from collections.abc import Awaitable, Callable

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.kinds import POD
from conductor.adapters.kubernetes.streams.execution import Target
from conductor.adapters.kubernetes.streams.sockets import PORTS, Socket, opened
from conductor.errors import ConductorError

HERE = "127.0.0.1"
DATA, PROBLEM = 0, 1
_CHUNK = 2**15
_log = logging.getLogger(__name__)

Find = Callable[[], Awaitable[Target]]
"""Returns the pod that answers now; NotFoundError where none does."""


class Forwards:
    """The listeners of one process."""

    def __init__(self) -> None:
        self._servers: dict[tuple[str, str, int], asyncio.Server] = {}
        self._making = asyncio.Lock()
        self._connections: set[asyncio.Task[None]] = set()

    async def address(self, client: Client, key: tuple[str, str, int], find: Find) -> str:
        """Return `127.0.0.1:PORT` for a port of a workload (namespace, name, port). NotFoundError where it does not run."""
        await find()
        async with self._making:
            server = self._servers.get(key)
            if server is None:
                server = self._servers[key] = await self._listen(client, key[2], find)
        return f"{HERE}:{server.sockets[0].getsockname()[1]}"

    async def forget(self, namespace: str) -> None:
        """Close the listeners of a namespace that goes."""
        for key in [key for key in self._servers if key[0] == namespace]:
            self._servers.pop(key).close()

    async def aclose(self) -> None:
        """Close all listeners and connections."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _listen(self, client: Client, port: int, find: Find) -> asyncio.Server:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 -- the loop runs this as a task
            self._connections.add(task)
            try:
                await forward(client, await find(), port, reader, writer)
            except ConductorError as error:
                _log.warning("%s", error.message)
            except (ConnectionError, asyncio.CancelledError):
                pass
            finally:
                self._connections.discard(task)
                with contextlib.suppress(ConnectionError):
                    writer.close()

        return await asyncio.start_server(accept, HERE, 0)


async def forward(
    client: Client, target: Target, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Carry one connection to a port of a pod, both ways, until the pod's side ends it."""
    path = POD.path(target.namespace, target.pod, "portforward")
    doing = f"reaching port {port} of {target}"
    async with opened(client, path, [("ports", str(port))], protocol=PORTS, doing=doing) as socket:
        sending = asyncio.create_task(_send(socket, reader))
        try:
            await _receive(socket, writer, doing)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def _send(socket: Socket, reader: asyncio.StreamReader) -> None:
    """Send what the caller writes. That it writes no more cannot be said by this protocol."""
    while data := await reader.read(_CHUNK):
        await socket.send(DATA, data)


async def _receive(socket: Socket, writer: asyncio.StreamWriter, doing: str) -> None:
    """Pass on what the pod writes; the first message of each channel is the port's number."""
    announced: set[int] = set()
    while (message := await socket.receive()) is not None:
        if message.channel not in announced and len(message.data) == struct.calcsize("<H"):
            announced.add(message.channel)
        elif message.channel == PROBLEM and message.data:
            _log.info("%s: %s", doing, message.data.decode(errors="replace").strip())
            return
        elif message.channel == DATA:
            writer.write(message.data)
            await writer.drain()
