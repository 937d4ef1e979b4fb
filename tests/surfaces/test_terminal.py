"""This process's terminal in the hands of a command: keys, sizes, and how it is left."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios

PROGRAM = """
import asyncio, sys
from conductor.cli.terminal import LocalTerminal

async def main():
    terminal, over = LocalTerminal(), asyncio.Event()

    async def keys(data):
        await terminal.write(b"typed " + data.hex().encode() + b"\\r\\n")
        if data == b"q":
            over.set()

    async def size(columns, lines):
        await terminal.write(f"size {columns}x{lines}\\r\\n".encode())

    async with terminal.connected(keys=keys, size=size):
        await over.wait()

asyncio.run(main())
"""


def resize(terminal: int, columns: int, lines: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def read_until(terminal: int, wanted: bytes) -> bytes:
    """Read what is shown up to some words; at the end of it the read itself fails."""
    shown = b""
    while wanted not in shown:
        shown += os.read(terminal, 4096)
    return shown


def test_every_key_and_every_size_is_handed_on_and_the_terminal_is_left_as_it_was():
    ours, theirs = pty.openpty()
    resize(ours, 97, 31)
    before = termios.tcgetattr(theirs)
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=theirs, stdout=theirs, env=kept, start_new_session=True,
    )  # fmt: skip
    try:
        read_until(ours, b"size 97x31")
        os.write(ours, b"\x03")  # Ctrl-C belongs to the command
        read_until(ours, b"typed 03")
        resize(ours, 80, 24)
        child.send_signal(signal.SIGWINCH)  # SIGWINCH: the terminal is nobody's controlling one here
        read_until(ours, b"size 80x24")
        os.write(ours, b"q")
        assert child.wait(timeout=60) == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        child.kill()
        child.wait(timeout=60)
        os.close(ours)
        os.close(theirs)
