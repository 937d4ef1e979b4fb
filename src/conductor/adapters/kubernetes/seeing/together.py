"""One question for all who ask it at the same time.

Law: whoever asks gets an answer to a question that was put after they asked. So a hundred who ask while one answer is on its way share
the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Together(Generic[T]):
    """Asks in turns; `ask` puts the question."""

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """Return the answer, or raise what asking raises. Who leaves while waiting disturbs nobody."""
        if self._next is None:
            self._next = asyncio.create_task(self._turn(self._asking))
            self._next.add_done_callback(_seen)
        return await asyncio.shield(self._next)

    async def aclose(self) -> None:
        """Ask no more."""
        tasks = [task for task in (self._asking, self._next) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _turn(self, before: asyncio.Task[T] | None) -> T:
        if before is not None:
            await asyncio.wait([before])
        self._asking, self._next = self._next, None
        return await self._ask()


def _seen(task: asyncio.Task[T]) -> None:
    if not task.cancelled():
        task.exception()  # whoever asked has seen it, or has left
