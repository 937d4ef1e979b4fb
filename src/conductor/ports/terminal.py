"""The terminal: where somebody sits who talks to a command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

Keys = Callable[[bytes], Awaitable[None]]
"""Takes what was typed, as it comes; `b""` once nothing more will."""
Size = Callable[[int, int], Awaitable[None]]
"""Takes columns and lines."""


class Terminal(Protocol):
    """Somebody's terminal, given to a command as its own."""

    def connected(self, *, keys: Keys, size: Size) -> AbstractAsyncContextManager[None]:
        """While the block lasts, hand on every key and every size, the present one first. Afterwards the terminal is as it was."""
        ...

    async def write(self, data: bytes) -> None:
        """Show what the command wrote."""
        ...
