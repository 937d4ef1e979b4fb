"""This process's terminal, for a command that runs elsewhere. It is a `ports.terminal.Terminal`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import termios
import tty
from collections.abc import AsyncIterator, Iterator

from conductor.ports.terminal import Keys, Size

_KEYS = 4096


class LocalTerminal:
    """Standard input and output, which are a terminal."""

    @contextlib.asynccontextmanager
    async def connected(self, *, keys: Keys, size: Size) -> AsyncIterator[None]:
        """Give every key to the command, also those that the terminal would act on itself."""
        with _raw():
            async with _watched_window(size), _read_keys(keys):
                yield

    async def write(self, data: bytes) -> None:
        """Write all of it; a reader that is slow holds up nobody else."""
        while data:
            data = data[await asyncio.to_thread(os.write, sys.stdout.fileno(), data) :]


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


@contextlib.asynccontextmanager
async def _read_keys(keys: Keys) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    typed: asyncio.Queue[bytes] = asyncio.Queue()
    source = sys.stdin.fileno()

    def read() -> None:
        found = os.read(source, _KEYS)
        typed.put_nowait(found)
        if not found:
            loop.remove_reader(source)

    async def hand_on() -> None:
        while found := await typed.get():
            await keys(found)
        await keys(b"")

    loop.add_reader(source, read)
    handing = asyncio.create_task(hand_on())
    try:
        yield
    finally:
        loop.remove_reader(source)
        handing.cancel()
        await asyncio.gather(handing, return_exceptions=True)


@contextlib.asynccontextmanager
async def _watched_window(size: Size) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    telling: set[asyncio.Task[None]] = set()

    async def tell(columns: int, lines: int) -> None:
        await size(columns, lines)

    def changed() -> None:
        window = shutil.get_terminal_size()
        task = loop.create_task(tell(window.columns, window.lines))
        telling.add(task)
        task.add_done_callback(telling.discard)

    changed()
    loop.add_signal_handler(signal.SIGWINCH, changed)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
        await asyncio.gather(*telling, return_exceptions=True)
