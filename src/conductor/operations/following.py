"""Follow runs from many places at once: one reader for each run, however many follow it.

Laws. Whoever goes on after what was told last misses nothing and is told nothing twice: events go by their number, lines of a log by
their count in the log of their workload. What is kept in memory is bounded, and nobody waits for a slow follower: who falls behind reads
from the records. A reader ends with its last follower.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from conductor.domain.event import Event, Kind
from conductor.domain.report import LogLine
from conductor.domain.run import Status
from conductor.errors import ConductorError, UnreachableError
from conductor.ports.store import RunRow
from conductor.ports.world import World

KEPT = 5000
"""So many of the latest events or lines of a run are kept in memory."""
BATCH = 500
LOOKS_AFTER_END = 10
"""So often the word of a run's end is looked for, where the run has ended and it is not there."""
_RESOLUTION = timedelta(microseconds=1)

T = TypeVar("T")
P = TypeVar("P")
F = TypeVar("F", bound="_Feed")


@dataclass(frozen=True, kw_only=True, slots=True)
class LogPosition:
    """How far the logs of an attempt were told: how many lines of each workload."""

    attempt: int
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Told(Generic[T, P]):
    """What is told at once, and where to go on after it. Nothing in it: nothing has come for a while."""

    items: Sequence[T]
    after: P


class Following:
    """The readers of this process. `is_stopping` ends them all."""

    def __init__(
        self,
        world: World,
        *,
        every: timedelta = timedelta(milliseconds=200),
        patience: timedelta = timedelta(seconds=15),
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._world = world
        self._every = every
        self._patience = patience
        self._is_stopping = is_stopping
        self._feeds: dict[tuple[type, str], _Feed] = {}
        self._followers = 0

    @property
    def followers(self) -> int:
        """How many follow at the moment."""
        return self._followers

    @property
    def readers(self) -> int:
        """How many read for them."""
        return len(self._feeds)

    async def events(self, run: str, *, after: int = 0) -> AsyncGenerator[Told[Event, int]]:
        """Yield the events of a run beyond `after` as they come, until it has ended; nothing each `patience` in which none came."""
        async with self._following(_EventFeed, run) as feed:
            while True:
                fresh = feed.beyond(after)
                if fresh is None:
                    fresh = await self._world.store.events(run, after=after, limit=BATCH)
                if fresh:
                    after = fresh[-1].seq
                    yield Told(items=fresh, after=after)
                elif not await self._goes_on(feed):
                    return
                elif not await feed.news(self._patience):
                    yield Told(items=(), after=after)

    async def lines(
        self, run: str, place: LogPosition, *, workload: str | None = None
    ) -> AsyncGenerator[Told[LogLine, LogPosition]]:
        """Yield what containers and builds wrote beyond a place, as it comes, until the run has ended, in its last attempt."""
        async with self._following(_LogFeed, run) as feed:
            while True:
                is_old = place.attempt < feed.attempt
                fresh = None if is_old else feed.beyond(place, workload)
                if fresh is None:
                    async for told in self._recorded(run, place, workload):
                        place = told.after
                        yield told
                    if is_old:
                        place = LogPosition(attempt=place.attempt + 1)
                    continue
                if fresh:
                    told = _told(place, fresh)
                    place = told.after
                    yield told
                elif not await self._goes_on(feed):
                    return
                elif not await feed.news(self._patience):
                    yield Told(items=(), after=place)

    async def counted(
        self, lines: AsyncGenerator[LogLine], *, after: int = 0
    ) -> AsyncGenerator[Told[LogLine, int]]:
        """Yield the lines of a log beyond the first `after` as they come, until it ends; nothing each `patience` in which none came."""
        came: asyncio.Queue[LogLine | None] = asyncio.Queue(KEPT)
        reader = asyncio.create_task(_poured(lines, came, skip=after))
        quiet = timedelta(0)
        try:
            while True:
                fresh, is_over = await _arrived(came, within=self._every)
                quiet = timedelta(0) if fresh else quiet + self._every
                if fresh or quiet >= self._patience:
                    quiet, after = timedelta(0), after + len(fresh)
                    yield Told(items=fresh, after=after)
                if is_over:
                    await reader
                    return
                self._refuse_where_stopping()
        finally:
            reader.cancel()
            with suppress(asyncio.CancelledError, ConductorError):
                await reader

    async def _recorded(
        self, run: str, place: LogPosition, workload: str | None
    ) -> AsyncGenerator[Told[LogLine, LogPosition]]:
        """Yield what is on record beyond a place, in the order of its times."""
        seen: dict[str, int] = {}
        batch: list[_Numbered] = []
        lines = self._world.evidence.read_log(run, place.attempt, workload=workload)
        async for line in lines:
            seen[line.workload] = number = seen.get(line.workload, 0) + 1
            if number > place.counts.get(line.workload, 0):
                batch.append(_Numbered(number, line))
            if len(batch) >= BATCH:
                told = _told(place, batch)
                place, batch = told.after, []
                yield told
        if batch:
            yield _told(place, batch)

    async def _goes_on(self, feed: _Feed) -> bool:
        """Tell whether there may be more; a reader that failed ends its followers, who come again."""
        if feed.error is not None:
            raise feed.error
        if not feed.is_over:
            self._refuse_where_stopping()
        return not feed.is_over

    def _refuse_where_stopping(self) -> None:
        if self._is_stopping():
            raise UnreachableError("the server is about to stop", remedy="Follow again; another one answers.")

    @asynccontextmanager
    async def _following(self, kind: type[F], run: str) -> AsyncIterator[F]:
        key = (kind, run)
        feed = self._feeds.get(key)
        if not isinstance(feed, kind) or feed.error is not None or feed.is_over:
            feed = self._feeds[key] = kind(self._world, run)
            feed.task = asyncio.create_task(self._read(feed))
        feed.followers += 1
        self._followers += 1
        try:
            await feed.begun.wait()
            yield feed
        finally:
            feed.followers -= 1
            self._followers -= 1
            if not feed.followers:
                await self._end(key, feed)

    async def _end(self, key: tuple[type, str], feed: _Feed) -> None:
        if self._feeds.get(key) is feed:
            del self._feeds[key]
        if feed.task is not None:
            feed.task.cancel()
            with suppress(asyncio.CancelledError):
                await feed.task

    async def _read(self, feed: _Feed) -> None:
        try:
            while not feed.is_over and not self._is_stopping():
                if await feed.read():
                    feed.ring()
                feed.begun.set()
                await asyncio.sleep(self._every.total_seconds())
        except ConductorError as error:
            feed.error = error
        finally:
            feed.begun.set()
            feed.ring()


class _Feed(ABC):
    """One reader and what it keeps."""

    def __init__(self, world: World, run: str) -> None:
        self.world = world
        self.run = run
        self.begun = asyncio.Event()
        self.is_over = False
        self.error: ConductorError | None = None
        self.followers = 0
        self.task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    @abstractmethod
    async def read(self) -> bool:
        """Read once; tell whether there is something to be told."""

    def ring(self) -> None:
        """Wake all followers."""
        self._news.set()
        self._news = asyncio.Event()

    async def news(self, patience: timedelta) -> bool:
        """Wait for news, for so long."""
        try:
            await asyncio.wait_for(self._news.wait(), patience.total_seconds())
        except TimeoutError:
            return False
        return True

    async def row(self) -> RunRow | None:
        """Return how the run stands, its latest attempt."""
        return await self.world.store.find_run(self.run)


class _EventFeed(_Feed):
    """Events, from the last ones on that there were when it began."""

    def __init__(self, world: World, run: str) -> None:
        super().__init__(world, run)
        self._kept: list[Event] = []
        self._from = 0
        self._last = 0
        self._has_end = False
        self._comes_again = False
        self._quiet = 0

    def beyond(self, after: int) -> Sequence[Event] | None:
        """Return what came after that number; None where it is not kept that far back."""
        if after >= self._last:
            return ()
        if after < self._from:
            return None
        start = bisect_right(self._kept, after, key=lambda event: event.seq)
        return self._kept[start : start + BATCH]

    async def read(self) -> bool:
        row = await self.row()
        found = await self.world.store.events(self.run, after=self._last, limit=BATCH)
        for event in found:
            self._last = event.seq
            self._has_end = self._has_end or event.kind is Kind.RUN_ENDED
            if event.kind is Kind.RUN_ENDED:
                self._comes_again = bool(event.data.get("again"))
        self._kept += found
        if len(self._kept) > KEPT:
            self._from = self._kept[-KEPT - 1].seq
            del self._kept[:-KEPT]
        has_ended = row is None or row.status is Status.ENDED
        self._quiet = 0 if found or not has_ended else self._quiet + 1
        is_told = self._has_end or self._quiet >= LOOKS_AFTER_END
        self.is_over = has_ended and not found and not self._comes_again and is_told
        return bool(found) or self.is_over


@dataclass(frozen=True, slots=True)
class _Numbered:
    number: int
    line: LogLine


@dataclass(slots=True)
class _Reach:
    """How far one log was read: the time of the last line, how many of that very time there were, and how many lines in all."""

    last: datetime | None = None
    of_that_time: int = 0
    count: int = 0


class _LogFeed(_Feed):
    """Lines of the latest attempt."""

    def __init__(self, world: World, run: str) -> None:
        super().__init__(world, run)
        self.attempt = 0
        self._reaches: dict[str, _Reach] = {}
        self._kept: list[_Numbered] = []
        self._dropped: dict[str, int] = {}
        self._before: Mapping[str, int] = {}
        self._latest: Sequence[_Numbered] = ()

    def beyond(self, place: LogPosition, workload: str | None) -> Sequence[_Numbered] | None:
        """Return the lines after a place of this attempt; None where they are not kept that far back."""
        if workload is None and place.counts == self._before:
            return self._latest[:BATCH]  # as all do who keep up
        dropped = [workload] if workload else self._dropped
        if any(place.counts.get(one, 0) < self._dropped.get(one, 0) for one in dropped):
            return None
        return [
            one
            for one in self._kept
            if one.number > place.counts.get(one.line.workload, 0) and workload in (None, one.line.workload)
        ][:BATCH]

    async def read(self) -> bool:
        row = await self.row()
        if row is None:
            self.is_over = True
            return True
        is_next = await self._turn_to(row.run.attempt)
        found = [
            one
            for name in await self.world.evidence.workloads(self.run, self.attempt)
            async for one in self._new(name, self._reaches.setdefault(name, _Reach()))
        ]
        if found:
            self._keep(sorted(found, key=lambda one: one.line.at))
        self.is_over = row.status is Status.ENDED and not found and not is_next
        return bool(found) or self.is_over or is_next

    async def _turn_to(self, attempt: int) -> bool:
        if attempt == self.attempt:
            return False
        self.attempt = attempt
        self._reaches, self._kept, self._dropped = {}, [], {}
        self._before, self._latest = {}, ()
        return True

    def _keep(self, found: Sequence[_Numbered]) -> None:
        counts = dict(self._before)
        for one in self._latest:
            counts[one.line.workload] = one.number
        self._before, self._latest = counts, found
        self._kept += found
        for one in self._kept[:-KEPT]:
            self._dropped[one.line.workload] = one.number
        del self._kept[:-KEPT]

    async def _new(self, workload: str, reach: _Reach) -> AsyncIterator[_Numbered]:
        since = reach.last - _RESOLUTION if reach.last else None
        skip = reach.of_that_time
        lines = self.world.evidence.read_log(self.run, self.attempt, workload=workload, since=since)
        async for line in lines:
            if line.at == reach.last and skip:
                skip -= 1
                continue
            reach.of_that_time = reach.of_that_time + 1 if line.at == reach.last else 1
            reach.last = line.at
            reach.count += 1
            yield _Numbered(reach.count, line)


async def _poured(lines: AsyncGenerator[LogLine], into: asyncio.Queue[LogLine | None], *, skip: int) -> None:
    """Hand on the lines of a log, and None at its end, whatever ended it."""
    try:
        async with aclosing(lines):
            async for line in lines:
                skip -= 1
                if skip < 0:
                    await into.put(line)
    finally:
        await into.put(None)


async def _arrived(
    came: asyncio.Queue[LogLine | None], *, within: timedelta
) -> tuple[Sequence[LogLine], bool]:
    """Return what has come, once something has or the time is over; and whether that was all."""
    found: list[LogLine] = []
    with suppress(TimeoutError, asyncio.QueueEmpty):
        line = await asyncio.wait_for(came.get(), within.total_seconds())
        while line is not None:
            found.append(line)
            if len(found) >= BATCH:
                return found, False
            line = came.get_nowait()
        return found, True
    return found, False


def _told(place: LogPosition, lines: Sequence[_Numbered]) -> Told[LogLine, LogPosition]:
    counts = dict(place.counts)
    for one in lines:
        counts[one.line.workload] = one.number
    after = LogPosition(attempt=place.attempt, counts=counts)
    return Told(items=[one.line for one in lines], after=after)
