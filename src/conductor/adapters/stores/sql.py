"""`SqlStore`: our own tables in SQL, written for SQLite and Postgres alike.

Laws: every write is keyed and may be repeated. An attempt that has ended stays ended: a late write of another status changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    and_,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)

from conductor.adapters.stores import rows, schema
from conductor.adapters.stores.columns import Moment, clean
from conductor.adapters.stores.database import connect, known_as, url_of
from conductor.adapters.stores.log import TURNS, append, too_many_writers
from conductor.adapters.stores.problems import translated
from conductor.adapters.stores.statements import Database
from conductor.adapters.stores.tables import cases, events, images, leases, reports, runs, steps, suites
from conductor.domain.event import Event, StepRecord
from conductor.domain.lease import Lease
from conductor.domain.report import BuiltImage, Report
from conductor.domain.results import SuiteResult
from conductor.domain.run import Run, Status
from conductor.domain.verdict import Outcome, Verdict
from conductor.errors import UsageError
from conductor.ports.news import News
from conductor.ports.store import Position, RepositoryRow, RunRow


class SqlStore:
    """The store on one database. Make it with `await SqlStore.open(...)`."""

    def __init__(self, engine: Engine) -> None:
        self.database = Database(engine)
        self.news = News()
        """Told of each event that is new."""

    @classmethod
    async def open(cls, url_or_path: str | Path) -> Self:
        """Open a file (made where it is missing) or a database by URL, and bring its tables up to date."""
        url = url_of(url_or_path)
        with translated("opening the records", known_as(url)):
            try:
                store = cls(connect(url))
            except OSError as error:
                raise UsageError(
                    f"making the folder of {url.database}: {error.strerror}",
                    remedy="Set CONDUCTOR_STATE to a folder in which you may write.",
                ) from error
        try:
            await store._prepare()
        except BaseException:
            await store.aclose()
            raise
        return store

    async def aclose(self) -> None:
        """Let go of the database."""
        await self.database.aclose()

    async def save_run(self, run: Run) -> None:
        """Record a run under its id and attempt."""
        saving = partial(self.database.upsert, table=runs, values=rows.run_values(run), keep=("status",))
        await self.database.write("recording a run", saving)

    async def set_status(
        self, run: Run, status: Status, *, at: datetime, executor: str = "", outcome: Outcome | None = None
    ) -> None:
        """Record where it stands; the run itself too, where that has not been done."""
        values: dict[str, Any] = {"status": status}
        if executor:
            values["executor"] = executor
        if status is Status.RUNNING:
            values["started_at"] = func.coalesce(runs.c.started_at, literal(at, Moment()))
        if status is Status.ENDED:
            values |= {"ended_at": at, "outcome": outcome, "verdict": outcome.verdict if outcome else None}

        def change(connection: Connection) -> None:
            connection.execute(
                self.database.insert(runs).values(rows.run_values(run)).on_conflict_do_nothing()
            )
            wanted = update(runs).where(_is(runs, run.id, run.attempt)).values(values)
            if status is not Status.ENDED:
                wanted = wanted.where(runs.c.status != Status.ENDED)
            connection.execute(wanted)

        await self.database.write("recording the status of a run", change)

    async def find_run(self, run_id: str, *, attempt: int | None = None) -> RunRow | None:
        """Return one run by id or unambiguous beginning of it. Raises `UsageError` where several begin so."""
        if not run_id:
            return None
        query = select(runs).order_by(runs.c.attempt.desc()).limit(1)
        if attempt is not None:
            query = query.where(runs.c.attempt == attempt)

        def find(connection: Connection) -> RunRow | None:
            row = connection.execute(query.where(runs.c.id == _whole_id(connection, clean(run_id)))).first()
            return rows.run_row(row) if row else None

        return await self.database.read("looking for a run", find)

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
        """Return runs, latest first; every attempt is a row of its own."""
        wanted = {"repository": repository, "status": status, "verdict": verdict, "branch": branch}
        query = (
            select(runs).order_by(runs.c.requested_at.desc(), runs.c.id, runs.c.attempt.desc()).limit(limit)
        )
        for name, value in wanted.items():
            if value is not None:
                query = query.where(runs.c[name] == value)
        if since is not None:
            query = query.where(runs.c.requested_at >= since)
        if repositories is not None:
            query = query.where(func.lower(runs.c.repository).in_([one.lower() for one in repositories]))
        if before is not None:
            query = query.where(_stands_after(before))
        return [rows.run_row(row) for row in await self.database.all("listing runs", query)]

    async def repositories(self) -> Sequence[RepositoryRow]:
        """Return the repositories that have runs, by name."""
        count, last = func.count(func.distinct(runs.c.id)), func.max(runs.c.requested_at)
        query = select(runs.c.repository, count.label("runs"), last.label("last"))
        found = await self.database.all(
            "listing repositories", query.group_by(runs.c.repository).order_by(runs.c.repository)
        )
        return [
            RepositoryRow(name=row.repository, runs=row.runs, last_requested_at=row.last) for row in found
        ]

    async def append(self, event: Event) -> Event:
        """Add to the log under the next number of its run; an event whose (run, key) is there already is left as it was."""
        for _ in range(TURNS):
            stored = await self.database.write("recording an event", partial(append, event=event))
            if stored is not None:
                self._tell_if_new(event, stored)
                return stored
        raise too_many_writers(event)

    async def events(self, run_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Return events of a run with seq > `after`, ascending."""
        query = select(events).where(events.c.run == run_id, events.c.seq > after)
        found = await self.database.all("reading events", query.order_by(events.c.seq).limit(limit))
        return [rows.event(row) for row in found]

    async def save_step(self, step: StepRecord) -> None:
        """Record a step under (run, attempt, name, subject)."""
        await self.database.write("recording a step", partial(self._save_step, step=step))

    async def show_step(self, step: StepRecord, event: Event) -> None:
        """Record a step, and the event that tells of it, in one transaction."""

        def show(connection: Connection) -> Event | None:
            self._save_step(connection, step)
            return append(connection, event)

        for _ in range(TURNS):
            if (stored := await self.database.write("recording a step", show)) is not None:
                self._tell_if_new(event, stored)
                return
        raise too_many_writers(event)

    def _tell_if_new(self, event: Event, stored: Event) -> None:
        """Tell of it where it is not another process's, or an earlier try's: theirs is of another time."""
        if stored.at == event.at:
            self.news.recorded(stored)

    async def steps(self, run_id: str, attempt: int) -> Sequence[StepRecord]:
        """Return the steps of an attempt in the order of their start."""
        query = select(steps.c.step).where(steps.c.run == run_id, steps.c.attempt == attempt)
        ordered = query.order_by(steps.c.started_at, steps.c.name, steps.c.subject)
        return [row.step for row in await self.database.all("reading steps", ordered)]

    async def save_result(self, run: Run, result: SuiteResult) -> None:
        """Record a suite's result and its cases, in place of what was there."""

        def save(connection: Connection) -> None:
            self.database.upsert(connection, suites, rows.suite_values(run, result))
            mine = and_(cases.c.run == run.id, cases.c.attempt == run.attempt, cases.c.suite == result.suite)
            connection.execute(delete(cases).where(mine))
            if result.cases:
                connection.execute(cases.insert(), rows.case_values(run, result))

        await self.database.write("recording test results", save)

    async def results(self, run_id: str, attempt: int) -> Sequence[SuiteResult]:
        """Return what has been recorded of the suites, by name."""
        of_suites = select(suites).where(suites.c.run == run_id, suites.c.attempt == attempt)
        of_cases = select(cases).where(cases.c.run == run_id, cases.c.attempt == attempt)

        def read(connection: Connection) -> Sequence[SuiteResult]:
            found = connection.execute(of_suites.order_by(suites.c.suite)).all()
            each = connection.execute(of_cases.order_by(cases.c.suite, cases.c.position)).all()
            return [rows.suite_result(row, each) for row in found]

        return await self.database.read("reading test results", read)

    async def save_image(self, run: Run, image: BuiltImage) -> None:
        """Record an image under (run, attempt, name)."""
        values = {"run": run.id, "attempt": run.attempt, "name": image.name, "image": image}
        await self.database.write(
            "recording an image", partial(self.database.upsert, table=images, values=values)
        )

    async def images(self, run_id: str, attempt: int) -> Sequence[BuiltImage]:
        """Return the images of an attempt by name."""
        query = select(images.c.image).where(images.c.run == run_id, images.c.attempt == attempt)
        return [row.image for row in await self.database.all("reading images", query.order_by(images.c.name))]

    async def save_report(self, report: Report) -> None:
        """Record the report of an attempt."""
        values = {"run": report.run.id, "attempt": report.run.attempt, "report": report}
        await self.database.write(
            "recording a report", partial(self.database.upsert, table=reports, values=values)
        )

    async def find_report(self, run_id: str, attempt: int | None = None) -> Report | None:
        """Return it, of the latest attempt that has one unless one is named."""
        query = select(reports.c.report).where(reports.c.run == run_id)
        if attempt is not None:
            query = query.where(reports.c.attempt == attempt)
        found = await self.database.all("reading a report", query.order_by(reports.c.attempt.desc()).limit(1))
        return found[0].report if found else None

    async def save_lease(self, lease: Lease) -> None:
        """Record what the mark on the namespace says."""
        key = {"namespace": lease.namespace, "run": lease.run, "expires_at": lease.expires_at}
        saving = partial(self.database.upsert, table=leases, values={**key, "lease": lease})
        await self.database.write("recording a lease", saving)

    async def leases(self) -> Sequence[Lease]:
        """Return all that are recorded, first to end first; the pinned ones last."""
        pinned = case((leases.c.expires_at.is_(None), 1), else_=0)
        query = select(leases.c.lease).order_by(pinned, leases.c.expires_at, leases.c.namespace)
        return [row.lease for row in await self.database.all("reading leases", query)]

    async def delete_lease(self, namespace: str) -> None:
        """Forget it."""
        gone = delete(leases).where(leases.c.namespace == namespace)
        await self.database.write("forgetting a lease", lambda connection: connection.execute(gone).close())

    async def _prepare(self) -> None:
        if await self.database.read("opening the records", schema.version) != schema.HEAD:
            await self.database.write("preparing the records", schema.migrate)

    def _save_step(self, connection: Connection, step: StepRecord) -> None:
        key = {"run": step.run, "attempt": step.attempt, "name": step.name, "subject": step.subject}
        self.database.upsert(connection, steps, {**key, "started_at": step.started_at, "step": step})


def _whole_id(connection: Connection, beginning: str) -> str:
    query = select(runs.c.id).where(runs.c.id.startswith(beginning, autoescape=True)).distinct().limit(10)
    found = connection.scalars(query.order_by(runs.c.id)).all()
    if beginning in found or not found:
        return beginning
    if len(found) > 1:
        raise UsageError(
            f"several runs begin with {beginning}: {', '.join(found)}", remedy="Write more of it."
        )
    return str(found[0])


def _stands_after(place: Position) -> ColumnElement[bool]:
    """Say the order of lists: latest first, then by id, the latest attempt first."""
    later_id = or_(runs.c.id > place.id, and_(runs.c.id == place.id, runs.c.attempt < place.attempt))
    at = literal(place.requested_at, Moment())
    return or_(runs.c.requested_at < at, and_(runs.c.requested_at == at, later_id))


def _is(table: Table, run_id: str, attempt: int) -> ColumnElement[bool]:
    return and_(table.c.id == run_id, table.c.attempt == attempt)
