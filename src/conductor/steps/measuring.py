"""Measuring what a stack uses while a step is at it: the peak goes on record. No step of its own, and nothing depends on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from conductor.domain.event import Kind
from conductor.domain.run import Run
from conductor.errors import ConductorError
from conductor.ports.usage import Meter, Used
from conductor.ports.world import the_world
from conductor.steps.place import place_of
from conductor.steps.tell import tell

EVERY = timedelta(seconds=5)
"""How often is measured: shorter peaks are seen by the machine's own monitoring alone."""
FIRST = timedelta(seconds=1)
"""After so long for the first times: short suites have a figure too."""
SHORTLY = 5


@asynccontextmanager
async def measuring(run: Run, what: str) -> AsyncGenerator[None]:
    """Measure while the block lasts. Where the step is cut off, whoever goes on with it measures the rest."""
    meter = the_world().meter
    if meter is None:
        yield
        return
    peak = _Peak()
    task = asyncio.create_task(_measure(run, what, meter, peak))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        the_world().news.usage.pop((run.id, what), None)
        if peak.is_known:
            with suppress(ConductorError):
                await _tell(run, what, peak)


class _Peak:
    """The most of each, over the whole stack at one time."""

    def __init__(self) -> None:
        self.is_known = False
        self.cpu_cores = 0.0
        self.memory_bytes = 0

    def saw(self, used: Used) -> None:
        self.is_known = True
        self.cpu_cores = max(self.cpu_cores, used.cpu_cores)
        self.memory_bytes = max(self.memory_bytes, used.memory_bytes)


async def _measure(run: Run, what: str, meter: Meter, peak: _Peak) -> None:
    world, times = the_world(), 0
    while True:
        with suppress(ConductorError):  # whoever watches the stack says what is wrong with the engine
            used = await meter.usage(place_of(run))
            world.news.usage[run.id, what] = used
            if used:
                peak.saw(sum(used.values(), Used()))
        times += 1
        await world.clock.sleep(FIRST if times < SHORTLY else EVERY)


async def _tell(run: Run, what: str, peak: _Peak) -> None:
    key = the_world().clock.now().isoformat()
    cores, memory = round(peak.cpu_cores, 3), peak.memory_bytes
    await tell(run, Kind.USAGE_PEAKED, subject=what, key=key, cpu_cores=cores, memory_bytes=memory)
