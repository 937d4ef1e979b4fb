"""Be with a run of a server, as one is with a run of this machine: show it, and let Ctrl-C cancel it.

Law: it is the server's run; whoever leaves leaves it running.
"""

from __future__ import annotations

import asyncio

from conductor.cli.accompany import CANCELLING, surface_for
from conductor.cli.desk.there import DeskThere
from conductor.cli.feed import feed
from conductor.cli.interruption import interruptible
from conductor.cli.surfaces import JsonSurface, Surface
from conductor.domain.run import Run
from conductor.domain.verdict import Outcome
from conductor.errors import ConductorError


async def accompany(desk: DeskThere, run: Run, *, as_json: bool, after: int = 0) -> Outcome:
    """Show the run, from its event `after` on, until it has ended, and return how."""
    surface = surface_for(run, desk.now, as_json=as_json)
    cancelling: list[asyncio.Task[None]] = []

    def cancel() -> None:
        surface.say(CANCELLING)
        cancelling.append(asyncio.create_task(_cancel(desk, run.id, surface)))

    left = f"left run {run.id} to the server: conductor runs show {run.id}"
    try:
        with interruptible(left=left, on_first=cancel, before_leaving=surface.close):
            await _show(desk, run.id, surface, after)
            outcome = await desk.ending(run.id)
    finally:
        surface.close()
        for task in cancelling:
            task.cancel()
        await asyncio.gather(*cancelling, return_exceptions=True)
    surface.finish(run, outcome, await desk.find_report(run.id))
    return outcome


async def _cancel(desk: DeskThere, run: str, surface: Surface) -> None:
    try:
        await desk.cancel(run)
    except ConductorError as error:
        surface.say(f"the run could not be cancelled: {error}; Ctrl-C again to leave it as it is")


async def _show(desk: DeskThere, run: str, surface: Surface, after: int) -> None:
    async for item in feed(desk, run, after=after, with_logs=not isinstance(surface, JsonSurface)):
        surface.show(item)
