"""What commands ask, whoever answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from conductor.cli.desk.environments import EnvironmentDesk
from conductor.cli.desk.issues import IssueDesk
from conductor.domain.event import Event
from conductor.domain.lease import Lease
from conductor.domain.report import LogLine, Report
from conductor.domain.verdict import Outcome, Verdict
from conductor.operations.runs import RunView
from conductor.operations.stacks import StackView
from conductor.ports.store import RunRow


class Desk(Protocol):
    """Law: both give the same answers to the same records. NotFoundError where nothing is called so; None names the latest run."""

    @property
    def issues(self) -> IssueDesk:
        """What is asked about issues and who works on them."""
        ...

    @property
    def environments(self) -> EnvironmentDesk:
        """What is asked about development environments."""
        ...

    def now(self) -> datetime:
        """Tell the time."""
        ...

    async def list_runs(
        self, *, repository: str | None = None, verdict: Verdict | None = None, limit: int = 50
    ) -> Sequence[RunRow]:
        """Return runs, latest first."""
        ...

    async def interrupted(self, rows: Iterable[RunRow]) -> frozenset[str]:
        """Return the ids of those that have lost their process."""
        ...

    async def find(self, name: str | None) -> RunRow:
        """Return a run by its id or the beginning of it."""
        ...

    async def show(self, name: str | None) -> RunView:
        """Return a run, whole."""
        ...

    def logs(
        self,
        name: str | None,
        *,
        workload: str | None = None,
        follow: bool = False,
        tail: int | None = None,
    ) -> AsyncIterator[LogLine]:
        """Yield what containers and builds wrote; with `follow` until the run has ended."""
        ...

    def events(self, name: str | None, *, after: int = 0, follow: bool = False) -> AsyncIterator[Event]:
        """Yield what happened after that number; with `follow` until the run has ended."""
        ...

    async def report(self, name: str | None) -> Report:
        """Return the report of a run. NotFoundError while there is none."""
        ...

    async def stacks(self) -> Sequence[StackView]:
        """Return what stands, first to end first."""
        ...

    async def extend(self, name: str, *, by: timedelta) -> Lease:
        """Let a stack stand longer."""
        ...

    async def pin(self, name: str) -> Lease:
        """Keep a stack until it is released."""
        ...

    async def release(self, name: str, *, keep_for: timedelta) -> Lease:
        """Give a pinned stack an end again."""
        ...

    async def sleep(self, name: str) -> Lease:
        """Stop everything in a stack and keep what it holds."""
        ...

    async def wake(self, name: str) -> Lease:
        """Start a sleeping stack again."""
        ...

    async def delete(self, name: str) -> int:
        """Remove a stack; returns how many things went."""
        ...

    async def cancel(self, name: str) -> Outcome:
        """Stop a run for good, and return how it ended."""
        ...
