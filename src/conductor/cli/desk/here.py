"""This machine's own records and engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta

from conductor.bootstrap import App
from conductor.cli.desk.environments import EnvironmentsHere
from conductor.cli.desk.issues import IssuesHere
from conductor.cli.interrupted import interrupted
from conductor.domain.event import Event
from conductor.domain.lease import Lease
from conductor.domain.report import LogLine, Report
from conductor.domain.verdict import Outcome, Verdict
from conductor.operations import runs, stacks
from conductor.operations.runs import RunView
from conductor.operations.stacks import StackView
from conductor.ports.store import RunRow


class DeskHere:
    """Answers by operations on a world that is open."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._world = app.world
        self.issues = IssuesHere(app)
        self.environments = EnvironmentsHere(app)

    def now(self) -> datetime:
        """Tell the time."""
        return self._world.clock.now()

    async def list_runs(
        self, *, repository: str | None = None, verdict: Verdict | None = None, limit: int = 50
    ) -> Sequence[RunRow]:
        """Return runs, latest first."""
        return await runs.list_runs(self._world, repository=repository, verdict=verdict, limit=limit)

    async def interrupted(self, rows: Iterable[RunRow]) -> frozenset[str]:
        """Return the ids of those that have lost their process."""
        return await interrupted(rows, settings=self._app.settings)

    async def find(self, name: str | None) -> RunRow:
        """Return a run by its id or the beginning of it."""
        return await runs.find(self._world, name)

    async def show(self, name: str | None) -> RunView:
        """Return a run, whole."""
        return await runs.show(self._world, name)

    def logs(
        self,
        name: str | None,
        *,
        workload: str | None = None,
        follow: bool = False,
        tail: int | None = None,
    ) -> AsyncIterator[LogLine]:
        """Yield what containers and builds wrote."""
        return runs.logs(self._world, name, workload=workload, follow=follow, tail=tail)

    async def events(self, name: str | None, *, after: int = 0, follow: bool = False) -> AsyncIterator[Event]:
        """Yield what happened after that number."""
        if follow:
            row = await runs.find(self._world, name)
            async for event in runs.follow_events(self._world, row.run.id, after=after):
                yield event
            return
        for event in await runs.events(self._world, name, after=after):
            yield event

    async def report(self, name: str | None) -> Report:
        """Return the report of a run."""
        return await runs.report(self._world, name)

    async def stacks(self) -> Sequence[StackView]:
        """Return what stands."""
        return await stacks.list_stacks(self._world)

    async def extend(self, name: str, *, by: timedelta) -> Lease:
        """Let a stack stand longer."""
        return await stacks.extend(self._world, name, by=by)

    async def pin(self, name: str) -> Lease:
        """Keep a stack until it is released."""
        return await stacks.pin(self._world, name)

    async def release(self, name: str, *, keep_for: timedelta) -> Lease:
        """Give a pinned stack an end again."""
        return await stacks.release(self._world, name, keep_for=keep_for)

    async def sleep(self, name: str) -> Lease:
        """Stop everything in a stack and keep what it holds."""
        return await stacks.sleep(self._world, name)

    async def wake(self, name: str) -> Lease:
        """Start a sleeping stack again, in the order of its dependencies."""
        return await stacks.wake(self._world, name)

    async def delete(self, name: str) -> int:
        """Remove a stack."""
        return await stacks.delete(self._world, name)

    async def cancel(self, name: str) -> Outcome:
        """Stop a run for good. It takes durable execution: `session.running`."""
        from conductor.operations import start_run

        return await start_run.cancel(self._world, name)
