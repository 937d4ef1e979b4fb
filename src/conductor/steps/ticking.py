"""Watching a namespace while the clock ticks, for whoever has a time limit to keep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta

from conductor.domain.states import States
from conductor.ports.engine import Place
from conductor.ports.world import World

TICK = timedelta(seconds=1)
"""How often time limits are looked at while nothing changes."""


async def ticking(world: World, place: Place) -> AsyncGenerator[States]:
    """Yield the states of all workloads, first at once, then at each change and at least every tick."""
    async with aclosing(world.engine.watch(place)) as watch:
        latest = await anext(watch)
        coming = asyncio.ensure_future(anext(watch))
        try:
            while True:
                yield latest
                await tick_or(world, coming)
                if coming.done():
                    latest = coming.result()
                    coming = asyncio.ensure_future(anext(watch))
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


async def tick_or(world: World, event: asyncio.Future[States] | asyncio.Task[bool]) -> None:
    """Return when the event has come, or a tick later."""
    tick = asyncio.ensure_future(world.clock.sleep(TICK))
    try:
        await asyncio.wait([event, tick], return_when=asyncio.FIRST_COMPLETED)
    finally:
        tick.cancel()
