"""A clock without waiting: time passes when everybody sleeps."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)

SETTLE_ROUNDS = 20
"""How many turns of the event loop without anybody going to sleep or waking count as everybody asleep."""


class FakeClock:
    """Moves on to the next sleeper's time as soon as nobody has anything left to do.

    With `automatic=False` time stands still until `advance`.
    """

    def __init__(self, start: datetime = START, *, automatic: bool = True) -> None:
        self._now = start
        self._automatic = automatic
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._count = 0
        self._mover: asyncio.Task[None] | None = None

    def now(self) -> datetime:
        """Return the time that it is in the play."""
        return self._now

    async def sleep(self, duration: timedelta) -> None:
        """Sleep until the play's time has moved on so far."""
        self._count += 1
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + duration, self._count, woken))
        if self._automatic and (self._mover is None or self._mover.done()):
            self._mover = asyncio.create_task(self._move())
        await woken

    def advance(self, duration: timedelta) -> None:
        """Move time on, waking who has slept enough."""
        self._wake_until(self._now + duration)

    async def _move(self) -> None:
        while self._sleepers:
            await self._until_all_sleep()
            if self._sleepers:
                self._wake_until(self._sleepers[0][0])

    async def _until_all_sleep(self) -> None:
        quiet, seen = 0, self._count
        while quiet < SETTLE_ROUNDS:
            await asyncio.sleep(0)
            quiet, seen = (quiet + 1, seen) if seen == self._count else (0, self._count)

    def _wake_until(self, moment: datetime) -> None:
        while self._sleepers and self._sleepers[0][0] <= moment:
            due, _, woken = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not woken.done():
                woken.set_result(None)
        self._now = max(self._now, moment)


class PassingClock:
    """Time as it passes: what the fake engine goes by where nobody gives it another."""

    def now(self) -> datetime:
        """Return the present."""
        return datetime.now(UTC)

    async def sleep(self, duration: timedelta) -> None:
        """Let that much of it pass."""
        await asyncio.sleep(duration.total_seconds())
