"""A command in a pod with somebody's terminal as its own."""

from __future__ import annotations

import json
from collections.abc import Sequence

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.streams.execution import Target, exit_code, opening, parameters
from conductor.adapters.kubernetes.streams.sockets import RESIZE, STATUS, STDIN
from conductor.ports.terminal import Terminal


async def attach(client: Client, target: Target, command: Sequence[str], terminal: Terminal) -> int:
    """Run a command; keys go in, what it writes comes out, and its size follows the window's. Returns its exit code."""
    words = parameters(target, command, stdin=True, tty=True)
    async with opening(client, target, words) as socket:

        async def type_in(keys: bytes) -> None:
            await (socket.send(STDIN, keys) if keys else socket.end(STDIN))

        async def resize(columns: int, lines: int) -> None:
            await socket.send(RESIZE, json.dumps({"Width": columns, "Height": lines}).encode())

        async with terminal.connected(keys=type_in, size=resize):
            while (message := await socket.receive()) is not None:
                if message.channel == STATUS:
                    complaint = bytearray()
                    code = exit_code(message.data, target, complaint)
                    await terminal.write(bytes(complaint))
                    return code
                await terminal.write(message.data)
    raise client.lost(f"running a command in {target}", EOFError("the stream ended without a status"))
