"""The log of a workload: that of each of its containers, followed through their restarts and a short loss of the engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import datetime, timedelta

from conductor.adapters.docker.access import Access
from conductor.adapters.docker.connection.client import Patience
from conductor.adapters.docker.logs.sources import read_log
from conductor.adapters.docker.watching.states import will_restart
from conductor.domain.report import LogLine
from conductor.errors import UnreachableError
from conductor.ports.engine import Place

RESTART_TIME = timedelta(seconds=5)
"""So long a log waits for a container that its engine starts again."""


async def lines_of(
    access: Access, place: Place, workload: str, *, since: datetime | None, follow: bool
) -> AsyncGenerator[LogLine, None]:
    """Yield the lines of a workload; those of replicas one after the other, or, followed, as they come."""
    containers = await access.identified(place, workload)
    several = [_log(access, place, workload, c["Id"], since=since, follow=follow) for c in containers]
    if len(several) == 1:
        async with contextlib.aclosing(several[0]) as lines:
            async for line in lines:
                yield line
    elif several:
        async with contextlib.aclosing(_side_by_side(several)) as lines:
            async for line in lines:
                yield line


async def _log(
    access: Access, place: Place, workload: str, container: str, *, since: datetime | None, follow: bool
) -> AsyncGenerator[LogLine, None]:
    patience = Patience()
    while True:
        try:
            found = await access.find(container)
            if found is None:
                return
            lines = read_log(await access.client(), found, workload, since=since, follow=follow)
            async with contextlib.aclosing(lines):
                async for line in lines:
                    since = line.at
                    yield line
            if not follow or not await _goes_on(access, place, workload, container):
                return
            patience.well()
        except UnreachableError as error:
            if not follow:
                raise
            await patience.bear(error)


async def _goes_on(access: Access, place: Place, workload: str, container: str) -> bool:
    """Tell whether a container whose log ended runs again, or will."""
    deadline = asyncio.get_running_loop().time() + RESTART_TIME.total_seconds()
    while asyncio.get_running_loop().time() < deadline:
        found = await access.find(container)
        if found is None:
            return False
        if found["State"]["Running"]:
            return True
        if not will_restart(found, access.marks.note(place.namespace, workload)):
            return False
        await asyncio.sleep(0.1)
    return False


async def _side_by_side(sources: Sequence[AsyncIterator[LogLine]]) -> AsyncGenerator[LogLine, None]:
    """Yield from all as they come."""
    queue: asyncio.Queue[LogLine | None] = asyncio.Queue(maxsize=1000)

    async def pour(source: AsyncIterator[LogLine]) -> None:
        try:
            async for line in source:
                await queue.put(line)
        finally:
            await queue.put(None)

    tasks = [asyncio.create_task(pour(source)) for source in sources]
    try:
        open_sources = len(tasks)
        while open_sources:
            line = await queue.get()
            if line is None:
                open_sources -= 1
            else:
                yield line
        for task in tasks:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
