"""`SqlHistory`: tests over runs, read from the records of runs and cases; and the quarantine lists.

Law: of a case only what history needs is read: its details and output stay where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, Row, Select, and_, delete, select, type_coerce

from conductor.adapters.stores.columns import clean
from conductor.adapters.stores.statements import Database
from conductor.adapters.stores.tables import cases, quarantine, runs
from conductor.domain.history import Sighting, Tested, TestName, as_tested
from conductor.domain.quarantine import Quarantined
from conductor.domain.results import CaseStatus
from conductor.domain.verdict import Verdict
from conductor.ports.history import RUNS

_FAIR = (Verdict.PASSED, Verdict.FAILED)
_GREENS = 50
"""How many green attempts are looked through for one that asked for every test."""
_CASE = type_coerce(cases.c.case, JSON)
_CLASS = _CASE["classname"].as_string()


class SqlHistory:
    """History on the database of a store: `SqlHistory(store.database)`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sightings(
        self, repository: str, *, branch: str | None = None, test: TestName | None = None, runs: int = RUNS
    ) -> Sequence[Sighting]:
        """Return each test of the latest attempts, the earliest first."""
        latest = _latest(repository, branch).limit(runs).subquery()
        query = _seen(test).join(
            latest, and_(cases.c.run == latest.c.id, cases.c.attempt == latest.c.attempt)
        )
        return [_sighting(row) for row in await self._database.all("reading the history of tests", query)]

    async def of_run(self, run_id: str, attempt: int) -> Sequence[Sighting]:
        """Return the tests of one attempt."""
        query = _seen(None).where(cases.c.run == run_id, cases.c.attempt == attempt)
        return [_sighting(row) for row in await self._database.all("reading the tests of a run", query)]

    async def last_green(self, repository: str, *, branch: str, before: datetime) -> Tested | None:
        """Return the latest whole attempt on a branch that passed."""
        query = _latest(repository, branch, (Verdict.PASSED,)).where(runs.c.requested_at < before)
        found = await self._database.all("looking for the last green run", query.limit(_GREENS))
        green = (_tested(row) for row in found)
        return next((one for one in green if one.whole), None)

    async def quarantine(self, entry: Quarantined) -> None:
        """Put a test on the list of its repository."""
        values = {**_key(entry.repository, entry.test), "entry": entry}
        await self._database.write(
            "putting a test in quarantine",
            lambda connection: self._database.upsert(connection, quarantine, values),
        )

    async def release(self, repository: str, test: TestName) -> bool:
        """Take it off the list."""
        gone = delete(quarantine).where(_is(repository, test))
        removed = await self._database.write(
            "taking a test out of quarantine", lambda connection: connection.execute(gone).rowcount
        )
        return removed > 0

    async def quarantined(self, repository: str) -> Sequence[Quarantined]:
        """Return the list by name."""
        query = select(quarantine.c.entry).where(quarantine.c.repository == clean(repository))
        found = [row.entry for row in await self._database.all("reading the quarantine", query)]
        return sorted(found, key=lambda entry: entry.test)


def _latest(
    repository: str, branch: str | None, verdicts: Sequence[Verdict] = _FAIR
) -> Select[tuple[Any, ...]]:
    """Choose attempts with a verdict on their tests, latest first."""
    query = select(runs.c.id, runs.c.attempt, runs.c.run, runs.c.verdict).where(
        runs.c.repository == clean(repository), runs.c.verdict.in_(verdicts)
    )
    if branch is not None:
        query = query.where(runs.c.branch == clean(branch))
    return query.order_by(runs.c.requested_at.desc(), runs.c.id.desc(), runs.c.attempt.desc())


def _seen(test: TestName | None) -> Select[tuple[Any, ...]]:
    """Choose cases with the run they are of, the earliest run first."""
    query = select(
        runs.c.run,
        runs.c.verdict,
        cases.c.suite,
        cases.c.name,
        cases.c.status,
        _CLASS.label("classname"),
        _CASE["flaky"].as_boolean().label("flaky"),
        _CASE["seconds"].as_float().label("seconds"),
    ).join(cases, and_(cases.c.run == runs.c.id, cases.c.attempt == runs.c.attempt))
    if test is not None:
        named = (cases.c.suite == clean(test.suite), cases.c.name == clean(test.name))
        query = query.where(*named, clean(test.classname) == _CLASS)
    return query.order_by(runs.c.requested_at, runs.c.id, runs.c.attempt, cases.c.suite, cases.c.position)


def _sighting(row: Row[Any]) -> Sighting:
    return Sighting(
        test=TestName(suite=row.suite, classname=row.classname or "", name=row.name),
        tested=_tested(row),
        status=CaseStatus(row.status),
        flaky=bool(row.flaky),
        seconds=float(row.seconds or 0),
    )


def _tested(row: Row[Any]) -> Tested:
    return as_tested(row.run, passed=row.verdict == Verdict.PASSED)


def _key(repository: str, test: TestName) -> dict[str, str]:
    return {"repository": repository, "suite": test.suite, "classname": test.classname, "name": test.name}


def _is(repository: str, test: TestName) -> ColumnElement[bool]:
    return and_(*(quarantine.c[name] == clean(value) for name, value in _key(repository, test).items()))
