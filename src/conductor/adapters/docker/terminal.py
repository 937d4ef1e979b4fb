"""A command in a container with this process's terminal as its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import termios
import tty as tty_mode
from collections.abc import Iterator, Sequence

from aiodocker.execs import Exec
from aiodocker.stream import Stream

from conductor.adapters.docker.connection.client import Client, reaching
from conductor.adapters.docker.execution import STDERR, end_input, exit_code, prepare


async def attach(client: Client, container: str, command: Sequence[str], *, tty: bool) -> int:
    """Run a command; keys go in, what it writes comes out, and its size follows the window's. Returns its exit code."""
    with reaching(f"attaching to {container[:12]}"):
        made = await prepare(client, container, command, stdin=True, tty=tty)
        stream = made.start()
        async with stream:
            with _raw_terminal() if tty and sys.stdin.isatty() else contextlib.nullcontext():
                async with _window(made) if tty else contextlib.nullcontext():
                    await _converse(stream)
        return await exit_code(made)


async def _converse(stream: Stream) -> None:
    loop = asyncio.get_running_loop()
    typed: asyncio.Queue[bytes] = asyncio.Queue()
    source = sys.stdin.fileno()

    def read() -> None:
        keys = os.read(source, 4096)
        typed.put_nowait(keys)
        if not keys:
            loop.remove_reader(source)

    try:
        loop.add_reader(source, read)
    except PermissionError:  # a plain file: it cannot be waited for, and is there at once
        typed.put_nowait(await asyncio.to_thread(sys.stdin.buffer.read))
        typed.put_nowait(b"")
    typing = asyncio.create_task(_type(stream, typed))
    try:
        while (message := await stream.read_out()) is not None:
            target = sys.stderr if message.stream == STDERR else sys.stdout
            target.buffer.write(message.data)
            target.buffer.flush()
    finally:
        loop.remove_reader(source)
        typing.cancel()
        await asyncio.gather(typing, return_exceptions=True)


async def _type(stream: Stream, typed: asyncio.Queue[bytes]) -> None:
    while keys := await typed.get():
        await stream.write_in(keys)
    end_input(stream)


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
async def _window(made: Exec):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """Keep the container's terminal as large as ours."""
    loop = asyncio.get_running_loop()
    resizing: set[asyncio.Task[None]] = set()

    def resize() -> None:
        size = shutil.get_terminal_size()
        task = loop.create_task(made.resize(h=size.lines, w=size.columns))
        resizing.add(task)
        task.add_done_callback(resizing.discard)

    resize()
    loop.add_signal_handler(signal.SIGWINCH, resize)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
        await asyncio.gather(*resizing, return_exceptions=True)
