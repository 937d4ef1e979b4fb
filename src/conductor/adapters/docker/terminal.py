"""A command in a container with somebody's terminal as its own."""

from __future__ import annotations

from collections.abc import Sequence

from conductor.adapters.docker.connection.client import Client, reaching
from conductor.adapters.docker.execution import end_input, exit_code, prepare
from conductor.ports.terminal import Terminal


async def attach(client: Client, container: str, command: Sequence[str], terminal: Terminal) -> int:
    """Run a command; keys go in, what it writes comes out, and its size follows the window's. Returns its exit code."""
    with reaching(f"attaching to {container[:12]}"):
        made = await prepare(client, container, command, stdin=True, tty=True)

        async def type_in(keys: bytes) -> None:
            if keys:
                await stream.write_in(keys)
            else:
                end_input(stream)

        async def resize(columns: int, lines: int) -> None:
            await made.resize(h=lines, w=columns)

        async with made.start() as stream, terminal.connected(keys=type_in, size=resize):
            while (message := await stream.read_out()) is not None:
                await terminal.write(message.data)
        return await exit_code(made)
