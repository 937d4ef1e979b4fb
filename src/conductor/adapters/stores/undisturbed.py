"""Work that a cancellation waits for instead of cutting it off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def undisturbed(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let it end before whoever awaits it is cancelled.

    A transaction of aiosqlite that is cut off stays open in its thread, and with it SQLite's write lock: every later write of
    every process would fail.
    """

    @wraps(work)
    async def undisturbed_work(*args: P.args, **kwargs: P.kwargs) -> T:
        working = asyncio.ensure_future(work(*args, **kwargs))
        cancelled: asyncio.CancelledError | None = None
        while not working.done():
            try:
                await asyncio.wait([working])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled:
            raise cancelled from (None if working.cancelled() else working.exception())
        return working.result()

    return undisturbed_work
