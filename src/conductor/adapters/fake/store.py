"""A store in memory: the laws of `ports.store`, and nothing that lasts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from conductor.domain.event import Event, StepRecord
from conductor.domain.lease import Lease
from conductor.domain.report import BuiltImage, Report
from conductor.domain.results import SuiteResult
from conductor.domain.run import Run, Status
from conductor.domain.verdict import Outcome, Verdict
from conductor.errors import UsageError
from conductor.ports.store import Position, RepositoryRow, RunRow

Attempt = tuple[str, int]


class FakeStore:
    """Keeps everything in dictionaries. What was written is there to be looked at by tests."""

    def __init__(self) -> None:
        self.runs: dict[Attempt, RunRow] = {}
        self.log: dict[str, list[Event]] = {}
        self.step_records: dict[tuple[str, int, str, str], StepRecord] = {}
        self.suite_results: dict[Attempt, dict[str, SuiteResult]] = {}
        self.built: dict[Attempt, dict[str, BuiltImage]] = {}
        self.reports: dict[Attempt, Report] = {}
        self.marks: dict[str, Lease] = {}

    async def save_run(self, run: Run) -> None:
        """Record it; one that is there keeps its status."""
        key = (run.id, run.attempt)
        known = self.runs.get(key)
        self.runs[key] = replace(known, run=run) if known else RunRow(run=run, status=Status.QUEUED)

    async def set_status(
        self, run: Run, status: Status, *, at: datetime, executor: str = "", outcome: Outcome | None = None
    ) -> None:
        """Record where it stands; times are set once. What has ended stays ended."""
        key = (run.id, run.attempt)
        row = self.runs.get(key) or RunRow(run=run, status=status)
        if row.status is Status.ENDED and status is not Status.ENDED:
            return
        started = row.started_at or (at if status is Status.RUNNING else None)
        ended = row.ended_at or (at if status is Status.ENDED else None)
        self.runs[key] = replace(
            row,
            status=status,
            started_at=started,
            ended_at=ended,
            executor=executor or row.executor,
            outcome=outcome or row.outcome,
        )

    async def find_run(self, run_id: str, *, attempt: int | None = None) -> RunRow | None:
        """Return one by id or unambiguous beginning."""
        known = {row.run.id for row in self.runs.values()}
        matching = {run_id} if run_id in known else {name for name in known if name.startswith(run_id)}
        if len(matching) > 1:
            raise UsageError(f"several runs begin with {run_id}: {', '.join(sorted(matching))}")
        rows = [row for row in self.runs.values() if row.run.id in matching]
        wanted = [row for row in rows if attempt in (None, row.run.attempt)]
        return max(wanted, key=lambda row: row.run.attempt, default=None)

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
        """Return them, latest first."""
        among = None if repositories is None else {name.lower() for name in repositories}
        rows = [
            row
            for row in self.runs.values()
            if repository in (None, row.run.repository)
            and status in (None, row.status)
            and (verdict is None or (row.outcome is not None and row.outcome.verdict is verdict))
            and branch in (None, row.run.source.branch or "")
            and (since is None or row.run.requested_at >= since)
            and (among is None or row.run.repository.lower() in among)
            and (before is None or _place(row.run) > _place(before))
        ]
        return sorted(rows, key=lambda row: _place(row.run))[:limit]

    async def repositories(self) -> Sequence[RepositoryRow]:
        """Return those that have runs, by name."""
        named = sorted({row.run.repository for row in self.runs.values()})
        return [self._repository(name) for name in named]

    def _repository(self, name: str) -> RepositoryRow:
        runs = [row.run for row in self.runs.values() if row.run.repository == name]
        last = max(run.requested_at for run in runs)
        return RepositoryRow(name=name, runs=len({run.id for run in runs}), last_requested_at=last)

    async def append(self, event: Event) -> Event:
        """Add it, once."""
        log = self.log.setdefault(event.run, [])
        for known in log:
            if known.key == event.key:
                return known
        log.append(replace(event, seq=len(log) + 1))
        return log[-1]

    async def events(self, run_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Return those after `after`."""
        return [event for event in self.log.get(run_id, ()) if event.seq > after][:limit]

    async def save_step(self, step: StepRecord) -> None:
        """Record it under its key."""
        self.step_records[step.run, step.attempt, step.name, step.subject] = step

    async def show_step(self, step: StepRecord, event: Event) -> None:
        """Record it, and tell of it."""
        await self.save_step(step)
        await self.append(event)

    async def steps(self, run_id: str, attempt: int) -> Sequence[StepRecord]:
        """Return them in the order of their start."""
        mine = [step for step in self.step_records.values() if (step.run, step.attempt) == (run_id, attempt)]
        return sorted(mine, key=lambda step: step.started_at)

    async def save_result(self, run: Run, result: SuiteResult) -> None:
        """Record it by the suite's name."""
        self.suite_results.setdefault((run.id, run.attempt), {})[result.suite] = result

    async def results(self, run_id: str, attempt: int) -> Sequence[SuiteResult]:
        """Return what there is."""
        return list(self.suite_results.get((run_id, attempt), {}).values())

    async def save_image(self, run: Run, image: BuiltImage) -> None:
        """Record it by its name."""
        self.built.setdefault((run.id, run.attempt), {})[image.name] = image

    async def images(self, run_id: str, attempt: int) -> Sequence[BuiltImage]:
        """Return them by name."""
        return [image for _, image in sorted(self.built.get((run_id, attempt), {}).items())]

    async def save_report(self, report: Report) -> None:
        """Record it."""
        self.reports[report.run.id, report.run.attempt] = report

    async def find_report(self, run_id: str, attempt: int | None = None) -> Report | None:
        """Return the attempt's, or the latest attempt's."""
        mine = {key: report for key, report in self.reports.items() if key[0] == run_id}
        wanted = max((key[1] for key in mine), default=0) if attempt is None else attempt
        return mine.get((run_id, wanted))

    async def save_lease(self, lease: Lease) -> None:
        """Record it by its namespace."""
        self.marks[lease.namespace] = lease

    async def leases(self) -> Sequence[Lease]:
        """Return them, first to end first; the pinned last."""
        return sorted(
            self.marks.values(),
            key=lambda lease: (lease.expires_at is None, lease.expires_at or lease.created_at),
        )

    async def delete_lease(self, namespace: str) -> None:
        """Forget it."""
        self.marks.pop(namespace, None)

    async def aclose(self) -> None:
        """There is nothing to let go of."""


def _place(one: Run | Position) -> tuple[float, str, int]:
    """Say the order of lists: latest first, then by id, the latest attempt first."""
    return -one.requested_at.timestamp(), one.id, -one.attempt
