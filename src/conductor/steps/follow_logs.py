"""Following logs while a step waits: every line of every container goes into the evidence as it is written.

No step of its own: the steps that wait follow, and `capture-logs` at the end brings in what nobody followed. Law: no gap and no line
twice, whoever followed before; so following goes on from the last line on record. Engines stamp whole chunks with one time, so a place in
a log is a time and the number of lines already on record that bear it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta

from conductor.domain.masking import Masker
from conductor.domain.report import LogLine
from conductor.domain.run import Run
from conductor.domain.states import Phase, States
from conductor.errors import ConductorError
from conductor.ports.world import the_world
from conductor.steps.place import place_of

_RESOLUTION = timedelta(microseconds=1)
_BATCH = 1000
_LAST_LINES_SECONDS = 5.0
"""How long the last lines of an ended container may take to arrive."""


async def lines_not_on_record(run: Run, workload: str, *, follow: bool) -> AsyncIterator[LogLine]:
    """Yield what the workload wrote after the last line on record."""
    world = the_world()
    last = await world.evidence.last_logged(run.id, run.attempt, workload)
    since, on_record = _beginning(run), 0
    if last is not None:
        since = last - _RESOLUTION
        async for line in world.evidence.read_log(run.id, run.attempt, workload=workload, since=since):
            on_record += line.at == last
    async with aclosing(world.engine.logs(place_of(run), workload, since=since, follow=follow)) as lines:
        async for line in lines:
            if on_record and line.at == last:
                on_record -= 1
            else:
                yield line


def _beginning(run: Run) -> datetime | None:
    """Return since when lines are this attempt's: a stack that was kept has told the rest to an earlier one."""
    return None if run.home == run.attempt else run.requested_at


class Follower:
    """Follows the logs of one run in this process, for all steps that wait at the same time."""

    def __init__(self, run: Run, mask: Masker) -> None:
        self._run = run
        self._mask = mask
        self._lines: asyncio.Queue[LogLine] = asyncio.Queue(maxsize=10 * _BATCH)
        self._pumps: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._ended: set[tuple[str, int]] = set()
        self._writer = asyncio.create_task(self._write())
        self.steps = 0

    def saw(self, states: States) -> None:
        """Take note of what runs now: each life of each container is followed once."""
        for name, state in states.items():
            life = (name, state.restarts)
            if state.phase in (Phase.RUNNING, Phase.ENDED) and life not in self._pumps:
                self._pumps[life] = asyncio.create_task(self._pump(name))
            if state.phase is Phase.ENDED:
                self._ended.add(life)

    async def aclose(self) -> None:
        """Wait for the last lines of what has ended, leave what still runs, and write all that has come."""
        ending = [task for life, task in self._pumps.items() if life in self._ended]
        if ending:
            await asyncio.wait(ending, timeout=_LAST_LINES_SECONDS)
        for task in self._pumps.values():
            task.cancel()
        await asyncio.gather(*self._pumps.values(), return_exceptions=True)
        joining = asyncio.create_task(self._lines.join())
        await asyncio.wait([joining, self._writer], return_when=asyncio.FIRST_COMPLETED)
        joining.cancel()
        self._writer.cancel()
        await asyncio.gather(joining, self._writer, return_exceptions=True)

    async def _pump(self, workload: str) -> None:
        earlier = [task for (name, _), task in self._pumps.items() if name == workload][:-1]
        if earlier:
            await asyncio.wait(earlier)
        with suppress(ConductorError):  # the engine is gone: the step that watches says so
            async for line in lines_not_on_record(self._run, workload, follow=True):
                await self._lines.put(line)
        await self._lines.join()

    async def _write(self) -> None:
        while True:
            batch = [await self._lines.get()]
            while len(batch) < _BATCH and not self._lines.empty():
                batch.append(self._lines.get_nowait())
            masked = [replace(line, text=self._mask(line.text)) for line in batch]
            try:
                await the_world().evidence.append_log(self._run.id, self._run.attempt, masked)
            finally:
                for _ in batch:
                    self._lines.task_done()


_followers: dict[str, Follower] = {}


@asynccontextmanager
async def following_logs(run: Run, mask: Masker) -> AsyncIterator[Follower]:
    """Follow the run's logs inside the block; steps that wait side by side share one follower."""
    follower = _followers.get(run.workflow_id)
    if follower is None:
        follower = _followers[run.workflow_id] = Follower(run, mask)
    follower.steps += 1
    try:
        yield follower
    finally:
        follower.steps -= 1
        if not follower.steps:
            _followers.pop(run.workflow_id, None)
            await follower.aclose()
