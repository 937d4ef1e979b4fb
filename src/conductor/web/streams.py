"""Server-sent events: what is followed, as it comes, with the place from which to go on (`id`) in each.

Laws. A stream says `event: end` when the run has ended: nothing comes after it. A client that takes nothing for a while is dropped; it
comes again with `Last-Event-ID` and has lost nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from conductor.errors import ConductorError
from conductor.operations.following import LogPosition, Told

HEARTBEAT = b": still here\n\n"
END = b"event: end\ndata: {}\n\n"
SEND_SECONDS = 30.0
"""A client that takes nothing for so long is gone."""
_LONGEST_PLACE = 20_000

T = TypeVar("T")
P = TypeVar("P")


class EventStream(StreamingResponse):
    """A stream that lets go of clients that take nothing."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncIterator[bytes], *, patience: float = SEND_SECONDS) -> None:
        super().__init__(frames, headers={"X-Accel-Buffering": "no"})
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, each part within a bound."""

        async def sending(message: Message) -> None:
            async with asyncio.timeout(self._patience):
                await send(message)

        try:
            await super().__call__(scope, receive, sending)
        except TimeoutError:
            return


async def frames(
    followed: AsyncGenerator[Told[T, P]], write: Callable[[Sequence[T], P], bytes]
) -> AsyncIterator[bytes]:
    """Write what is told as frames, with a heartbeat where nothing is."""
    async with aclosing(followed) as told:
        try:
            async for one in told:
                yield write(one.items, one.after) if one.items else HEARTBEAT
        except ConductorError:
            return  # without an end: the client comes again
        yield END


def frame(kind: str, data: bytes, place: Any) -> bytes:
    """Write one frame; JSON has no line ends of its own."""
    return b"event: %s\nid: %s\ndata: %s\n\n" % (kind.encode(), str(place).encode(), data)


def place_text(place: LogPosition) -> str:
    """Write a place in the logs as the id of a frame.

    >>> place_text(LogPosition(attempt=2, counts={"backend": 120, "build/web": 3}))
    '2&backend=120&build%2Fweb=3'
    """
    return "&".join(filter(None, (str(place.attempt), urlencode(sorted(place.counts.items())))))


def place_of(text: str, *, latest: int) -> LogPosition:
    """Read such a place; what makes no sense is the beginning of the latest attempt."""
    attempt, _, counts = text[:_LONGEST_PLACE].partition("&")
    if not attempt.isdecimal() or len(attempt) > 9 or not 1 <= int(attempt) <= latest:  # noqa: PLR2004 -- digits
        return LogPosition(attempt=latest)
    pairs = parse_qsl(counts, max_num_fields=2000) if counts.count("&") < 2000 else []  # noqa: PLR2004
    read = {name: int(number) for name, number in pairs if number.isdecimal() and len(number) < 15}  # noqa: PLR2004
    return LogPosition(attempt=int(attempt), counts=read)
