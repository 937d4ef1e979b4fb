"""Be with a run from its start to its verdict: show it, and let Ctrl-C cancel it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from conductor import telemetry
from conductor.bootstrap import App, leave_sweeper, tell_outside
from conductor.cli.desk.here import DeskHere
from conductor.cli.feed import feed
from conductor.cli.interruption import interruptible
from conductor.cli.output import console
from conductor.cli.surfaces import JsonSurface, LiveSurface, PlainSurface, Surface
from conductor.domain.report import Report
from conductor.domain.run import Run
from conductor.domain.verdict import Outcome
from conductor.durable import Handle
from conductor.errors import CancelledRunError, NotFoundError
from conductor.operations import runs, start_run
from conductor.ports.world import World

CANCELLING = "cancelling: tests get their grace, logs are kept; Ctrl-C again leaves at once"
LAST_EVENTS_SECONDS = 5.0
"""How long the last events may take to be shown, once the verdict is there."""


async def accompany(app: App, run: Run, handle: Handle[Outcome], *, as_json: bool, after: int = 0) -> Outcome:
    """Show the run, from its event `after` on, until it has ended, and return how. Cancelled from here, it ends by its own rule."""
    surface = surface_for(run, app.world.clock.now, as_json=as_json)
    company = _Company(app, run, surface, after)
    if isinstance(surface, LiveSurface):
        telemetry.configure(level=app.settings.log, form=app.settings.log_format, stream=surface.log_stream())
    try:
        left = f"left run {run.id} as it is: conductor runs resume {run.id}"
        with interruptible(left=left, on_first=company.cancel, before_leaving=company.leave):
            outcome = await company.until_the_end(handle)
    finally:
        surface.close()
        telemetry.configure(level=app.settings.log, form=app.settings.log_format)
    report = await _find_report(app.world, run)
    await tell_outside(app)
    if await app.world.store.leases():  # kept, or not to be removed just now
        leave_sweeper(app.settings)
    surface.finish(run, outcome, report)
    return outcome


def surface_for(run: Run, now: Callable[[], datetime], *, as_json: bool) -> Surface:
    """Choose how to show it: JSON where that is asked for, a picture on a terminal, plain lines anywhere else."""
    if as_json:
        return JsonSurface()
    target = console()
    if target.is_terminal and not target.is_dumb_terminal:
        return LiveSurface(run, target, now)
    return PlainSurface(run, target)


class _Company:
    def __init__(self, app: App, run: Run, surface: Surface, after: int) -> None:
        self._after = after
        self.surface = surface
        self._settings = app.settings
        self._world = app.world
        self._desk = DeskHere(app)
        self._run = run
        self._cancelling: asyncio.Task[Outcome] | None = None

    def cancel(self) -> None:
        """Begin to stop the run; who waits for it sees how it ends."""
        self.surface.say(CANCELLING)
        self._cancelling = asyncio.create_task(start_run.cancel(self._world, self._run.id))
        self._cancelling.add_done_callback(self._tell_failure)

    def _tell_failure(self, cancelling: asyncio.Task[Outcome]) -> None:
        if not cancelling.cancelled() and (error := cancelling.exception()):
            self.surface.say(f"the run could not be cancelled: {error}; Ctrl-C again to leave it as it is")

    def leave(self) -> None:
        """Put the terminal back, and see to it that what is left behind goes when its lease ends."""
        self.surface.close()
        leave_sweeper(self._settings)

    async def until_the_end(self, handle: Handle[Outcome]) -> Outcome:
        showing = asyncio.create_task(self._show())
        ending = asyncio.create_task(self._outcome(handle))
        try:
            await asyncio.wait([showing, ending], return_when=asyncio.FIRST_COMPLETED)
            if showing.done():
                showing.result()  # what went wrong with showing, such as a reader that has gone, is the end of it
            outcome = await ending
            await asyncio.wait([showing], timeout=LAST_EVENTS_SECONDS)
            return outcome
        finally:
            for task in (showing, ending):
                task.cancel()
            await asyncio.gather(showing, ending, return_exceptions=True)

    async def _show(self) -> None:
        async for item in feed(
            self._desk, self._run.id, after=self._after, with_logs=not isinstance(self.surface, JsonSurface)
        ):
            self.surface.show(item)

    async def _outcome(self, handle: Handle[Outcome]) -> Outcome:
        """Wait for the run; where somebody cancels it, here or elsewhere, for what its teardown says."""
        try:
            return await handle.result()
        except CancelledRunError:
            self._cancelling = self._cancelling or asyncio.create_task(
                start_run.cancel(self._world, self._run.id)
            )
            return await self._cancelling


async def _find_report(world: World, run: Run) -> Report | None:
    try:
        return await runs.report(world, run.id)
    except NotFoundError:
        return None
