"""The store: our own tables. Projections for every surface, never the truth of where a workflow stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from conductor.domain.event import Event, StepRecord
from conductor.domain.lease import Lease
from conductor.domain.report import BuiltImage, Report
from conductor.domain.results import SuiteResult
from conductor.domain.run import Run, Status
from conductor.domain.verdict import Outcome, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRow:
    """A run as lists show it. `executor` is the process that has it."""

    run: Run
    status: Status
    outcome: Outcome | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    executor: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Where a row stands in lists of runs: latest first, then by id, the latest attempt first."""

    requested_at: datetime
    id: str
    attempt: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RepositoryRow:
    """A repository that has runs."""

    name: str
    runs: int
    last_requested_at: datetime


class Store(Protocol):
    """Law: every write is keyed, and a repeated one overwrites with the same or changes nothing."""

    async def save_run(self, run: Run) -> None:
        """Record a run under its id and attempt."""
        ...

    async def set_status(
        self, run: Run, status: Status, *, at: datetime, executor: str = "", outcome: Outcome | None = None
    ) -> None:
        """Record where it stands. RUNNING sets `started_at` once; ENDED sets `ended_at` and the outcome."""
        ...

    async def find_run(self, run_id: str, *, attempt: int | None = None) -> RunRow | None:
        """Return one run (its latest attempt unless one is named) by id or unambiguous beginning of it."""
        ...

    async def list_runs(
        self,
        *,
        repository: str | None = None,
        status: Status | None = None,
        verdict: Verdict | None = None,
        branch: str | None = None,
        since: datetime | None = None,
        repositories: Collection[str] | None = None,
        before: Position | None = None,
        limit: int = 50,
    ) -> Sequence[RunRow]:
        """Return runs, latest first: of one repository, or of `repositories` in any case; only those that stand after `before`."""
        ...

    async def repositories(self) -> Sequence[RepositoryRow]:
        """Return the repositories that have runs, by name."""
        ...

    async def append(self, event: Event) -> Event:
        """Add to the log; an event whose (run, key) is there already is left as it was. Returns the stored one, with its seq."""
        ...

    async def events(self, run_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Return events of a run with seq > `after`, ascending."""
        ...

    async def save_step(self, step: StepRecord) -> None:
        """Record a step under (run, attempt, name, subject)."""
        ...

    async def show_step(self, step: StepRecord, event: Event) -> None:
        """Record a step and the event that tells of it: both or neither."""
        ...

    async def steps(self, run_id: str, attempt: int) -> Sequence[StepRecord]:
        """Return the steps of an attempt in the order of their start."""
        ...

    async def save_result(self, run: Run, result: SuiteResult) -> None:
        """Record a suite's result and its cases."""
        ...

    async def results(self, run_id: str, attempt: int) -> Sequence[SuiteResult]:
        """Return what has been recorded of the suites."""
        ...

    async def save_image(self, run: Run, image: BuiltImage) -> None:
        """Record an image under (run, attempt, name)."""
        ...

    async def images(self, run_id: str, attempt: int) -> Sequence[BuiltImage]:
        """Return the images of an attempt by name."""
        ...

    async def save_report(self, report: Report) -> None:
        """Record the report of an attempt."""
        ...

    async def find_report(self, run_id: str, attempt: int | None = None) -> Report | None:
        """Return it, of the latest attempt unless one is named."""
        ...

    async def save_lease(self, lease: Lease) -> None:
        """Record what the mark on the namespace says (the mark is the truth)."""
        ...

    async def leases(self) -> Sequence[Lease]:
        """Return all that are recorded, first to end first."""
        ...

    async def delete_lease(self, namespace: str) -> None:
        """Forget it."""
        ...

    async def aclose(self) -> None:
        """Let go of the database."""
        ...
