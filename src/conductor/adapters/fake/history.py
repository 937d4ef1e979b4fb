"""History over a store in memory: the laws of `ports.history`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from conductor.adapters.fake.store import FakeStore
from conductor.domain.history import Sighting, Tested, TestName, as_tested, sighted
from conductor.domain.quarantine import Quarantined
from conductor.domain.verdict import Verdict
from conductor.ports.history import RUNS
from conductor.ports.store import RunRow

_FAIR = (Verdict.PASSED, Verdict.FAILED)


class FakeHistory:
    """Reads what a `FakeStore` was told, and keeps the list in a dictionary."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self.listed: dict[tuple[str, TestName], Quarantined] = {}

    async def sightings(
        self, repository: str, *, branch: str | None = None, test: TestName | None = None, runs: int = RUNS
    ) -> Sequence[Sighting]:
        """Return each test of the latest attempts."""
        rows = [row for row in self._fair(repository) if branch is None or row.run.source.branch == branch]
        latest = rows[len(rows) - runs if runs < len(rows) else 0 :]
        return [one for one in self._sightings(latest) if test is None or one.test == test]

    async def of_run(self, run_id: str, attempt: int) -> Sequence[Sighting]:
        """Return the tests of one attempt."""
        row = self._store.runs.get((run_id, attempt))
        return list(self._sightings([row])) if row else []

    async def last_green(self, repository: str, *, branch: str, before: datetime) -> Tested | None:
        """Return the latest whole attempt on a branch that passed."""
        green = (_tested(row) for row in self._fair(repository) if row.run.requested_at < before)
        return next(
            (one for one in reversed([*green]) if one.passed and one.whole and one.branch == branch), None
        )

    async def quarantine(self, entry: Quarantined) -> None:
        """Put a test on the list."""
        self.listed[entry.repository, entry.test] = entry

    async def release(self, repository: str, test: TestName) -> bool:
        """Take it off."""
        return self.listed.pop((repository, test), None) is not None

    async def quarantined(self, repository: str) -> Sequence[Quarantined]:
        """Return the list by name."""
        mine = (entry for (whose, _), entry in self.listed.items() if whose == repository)
        return sorted(mine, key=lambda entry: entry.test)

    def _fair(self, repository: str) -> list[RunRow]:
        rows = [
            row
            for row in self._store.runs.values()
            if row.run.repository == repository and row.outcome and row.outcome.verdict in _FAIR
        ]
        return sorted(rows, key=lambda row: (row.run.requested_at, row.run.id, row.run.attempt))

    def _sightings(self, rows: Iterable[RunRow]) -> Iterator[Sighting]:
        for row in rows:
            for result in self._store.suite_results.get((row.run.id, row.run.attempt), {}).values():
                yield from (sighted(_tested(row), result.suite, case) for case in result.cases)


def _tested(row: RunRow) -> Tested:
    return as_tested(row.run, passed=row.outcome is not None and row.outcome.verdict is Verdict.PASSED)
