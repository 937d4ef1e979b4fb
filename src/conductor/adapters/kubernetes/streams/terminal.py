"""A command in a pod with this process's terminal as its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import termios
import tty as tty_mode
from collections.abc import AsyncIterator, Iterator, Sequence

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.streams.execution import Target, exit_code, opening, parameters
from conductor.adapters.kubernetes.streams.sockets import RESIZE, STATUS, STDERR, STDIN, Socket

_KEYS = 4096


async def attach(client: Client, target: Target, command: Sequence[str], *, tty: bool) -> int:
    """Run a command; keys go in, what it writes comes out, and its size follows the window's. Returns its exit code."""
    words = parameters(target, command, stdin=True, tty=tty)
    async with opening(client, target, words) as socket:
        with _raw_terminal() if tty and sys.stdin.isatty() else contextlib.nullcontext():
            async with _window(socket) if tty else contextlib.nullcontext(), _typing(socket):
                return await _show(client, socket, target)


async def _show(client: Client, socket: Socket, target: Target) -> int:
    while (message := await socket.receive()) is not None:
        if message.channel == STATUS:
            complaint = bytearray()
            code = exit_code(message.data, target, complaint)
            await _write(sys.stderr.fileno(), bytes(complaint))
            return code
        await _write((sys.stderr if message.channel == STDERR else sys.stdout).fileno(), message.data)
    raise client.lost(f"running a command in {target}", EOFError("the stream ended without a status"))


async def _write(descriptor: int, data: bytes) -> None:
    """Write all of it; a reader that is slow holds up nobody else."""
    while data:
        data = data[await asyncio.to_thread(os.write, descriptor, data) :]


@contextlib.asynccontextmanager
async def _typing(socket: Socket) -> AsyncIterator[None]:
    """Pass on what is typed."""
    loop = asyncio.get_running_loop()
    typed: asyncio.Queue[bytes] = asyncio.Queue()
    source = sys.stdin.fileno()

    def read() -> None:
        keys = os.read(source, _KEYS)
        typed.put_nowait(keys)
        if not keys:
            loop.remove_reader(source)

    try:
        loop.add_reader(source, read)
    except PermissionError:  # a plain file: it cannot be waited for, and is there at once
        typed.put_nowait(await asyncio.to_thread(sys.stdin.buffer.read))
        typed.put_nowait(b"")
    passing = asyncio.create_task(_pass_on(socket, typed))
    try:
        yield
    finally:
        loop.remove_reader(source)
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)


async def _pass_on(socket: Socket, typed: asyncio.Queue[bytes]) -> None:
    while keys := await typed.get():
        await socket.send(STDIN, keys)
    await socket.end(STDIN)


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    """Give every key to the container; the terminal is as before afterwards, whatever happens."""
    before = termios.tcgetattr(sys.stdin)
    try:
        tty_mode.setraw(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


@contextlib.asynccontextmanager
async def _window(socket: Socket) -> AsyncIterator[None]:
    """Keep the command's terminal as large as ours."""
    loop = asyncio.get_running_loop()
    resizing: set[asyncio.Task[None]] = set()

    def resize() -> None:
        size = shutil.get_terminal_size()
        words = json.dumps({"Width": size.columns, "Height": size.lines}).encode()
        task = loop.create_task(socket.send(RESIZE, words))
        resizing.add(task)
        task.add_done_callback(resizing.discard)

    resize()
    loop.add_signal_handler(signal.SIGWINCH, resize)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
        await asyncio.gather(*resizing, return_exceptions=True)
