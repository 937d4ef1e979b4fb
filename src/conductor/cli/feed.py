"""What happens in a run, as it happens: its events, and between them what its tests write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from conductor.cli.desk.desk import Desk
from conductor.domain.event import Event, Kind
from conductor.domain.report import LogLine

LAST_LINES_SECONDS = 2.0
"""How long the tests' last lines may take to come, once the run has ended."""
_MOST_WAITING = 1000


async def feed(
    desk: Desk, run_id: str, *, after: int = 0, with_logs: bool = True
) -> AsyncIterator[Event | LogLine]:
    """Yield the events of a run from `after` on, and the lines of its suites from their first on, until it has ended.

    Lines of one suite come in order; those of several, and events between them, in the order of their arrival. The event that ends the run
    comes last.
    """
    queue: asyncio.Queue[Event | LogLine] = asyncio.Queue(_MOST_WAITING)
    events = asyncio.create_task(_events(desk, run_id, queue, after=after, with_logs=with_logs))
    try:
        while not (events.done() and queue.empty()):
            coming = asyncio.create_task(queue.get())
            await asyncio.wait([coming, events], return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                yield coming.result()
            else:
                coming.cancel()
        events.result()
    finally:
        events.cancel()
        await asyncio.gather(events, return_exceptions=True)


async def _events(
    desk: Desk, run_id: str, queue: asyncio.Queue[Event | LogLine], *, after: int, with_logs: bool
) -> None:
    suites: list[asyncio.Task[None]] = []
    try:
        async for event in desk.events(run_id, after=after, follow=True):
            if event.kind is Kind.RUN_ENDED and suites:
                await asyncio.wait(suites, timeout=LAST_LINES_SECONDS)
            await queue.put(event)
            if with_logs and event.kind is Kind.SUITE_STARTED:
                workload = str(event.data.get("workload") or event.subject)
                suites.append(asyncio.create_task(_lines(desk, run_id, workload, queue)))
    finally:
        for suite in suites:
            suite.cancel()
        await asyncio.gather(*suites, return_exceptions=True)


async def _lines(desk: Desk, run_id: str, workload: str, queue: asyncio.Queue[Event | LogLine]) -> None:
    async for line in desk.logs(run_id, workload=workload, follow=True):
        await queue.put(line)
