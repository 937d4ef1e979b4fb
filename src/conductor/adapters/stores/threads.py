"""Threads for work that waits: a few of their own, so that it waits for nothing but its like.

Law: work that was begun is finished, and whoever awaits it is cancelled only then: what they do next finds it done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """At most `most` threads, started when they are needed. Work is begun in the order in which it was asked for."""

    def __init__(self, name: str, most: int) -> None:
        self._pool = ThreadPoolExecutor(most, name)

    async def __call__(self, work: Callable[[], T]) -> T:
        """Do it and return its result. A cancellation waits for its end instead of leaving it alone."""
        doing = asyncio.get_running_loop().run_in_executor(self._pool, work)
        cancelled: asyncio.CancelledError | None = None
        while not doing.done():
            try:
                await asyncio.wait([doing])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled:
            raise cancelled from doing.exception()
        return doing.result()

    def close(self) -> None:
        """Take no more work; what was begun is finished."""
        self._pool.shutdown(wait=False)
