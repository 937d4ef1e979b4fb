"""`SqlStore`: our own tables in SQL, written for SQLite and Postgres alike.

Laws: every write is keyed and may be repeated. An attempt that has ended stays ended: a late write of another status changes nothing.
What was begun is finished, also when who asked is cancelled.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import ColumnElement, Row, Select, Table, and_, case, delete, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from conductor.adapters.stores import rows, schema
from conductor.adapters.stores.columns import Moment, clean
from conductor.adapters.stores.database import WRITES, connect, url_of
from conductor.adapters.stores.problems import translated
from conductor.adapters.stores.tables import cases, events, images, leases, reports, runs, steps, suites
from conductor.adapters.stores.undisturbed import undisturbed
from conductor.domain.event import Event, StepRecord
from conductor.domain.lease import Lease
from conductor.domain.report import BuiltImage, Report
from conductor.domain.results import SuiteResult
from conductor.domain.run import Run, Status
from conductor.domain.verdict import Outcome, Verdict
from conductor.errors import ConflictError, UsageError
from conductor.ports.store import RunRow

_TURNS = 100
"""How often an append may lose the race for the next number: only where writers do not take turns, as on Postgres."""


class SqlStore:
    """The store on one database. Make it with `await SqlStore.open(...)`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**{WRITES: True})
        self._where = engine.url.database or engine.url.render_as_string(hide_password=True)

    @classmethod
    async def open(cls, url_or_path: str | Path) -> Self:
        """Open a file (made where it is missing) or a database by URL, and bring its tables up to date."""
        url = url_of(url_or_path)
        with translated("opening the records", str(url.database)):
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
        await self._engine.dispose()

    @undisturbed
    async def save_run(self, run: Run) -> None:
        """Record a run under its id and attempt."""
        async with self._writing("recording a run") as connection:
            await self._upsert(connection, runs, rows.run_values(run), keep=("status",))

    @undisturbed
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
        async with self._writing("recording the status of a run") as connection:
            await connection.execute(self._insert(runs).values(rows.run_values(run)).on_conflict_do_nothing())
            change = update(runs).where(_is(runs, run.id, run.attempt)).values(values)
            if status is not Status.ENDED:
                change = change.where(runs.c.status != Status.ENDED)
            await connection.execute(change)

    @undisturbed
    async def find_run(self, run_id: str, *, attempt: int | None = None) -> RunRow | None:
        """Return one run by id or unambiguous beginning of it. Raises `UsageError` where several begin so."""
        if not run_id:
            return None
        query = select(runs).order_by(runs.c.attempt.desc()).limit(1)
        if attempt is not None:
            query = query.where(runs.c.attempt == attempt)
        async with self._reading("looking for a run") as connection:
            whole = await self._whole_id(connection, clean(run_id))
            row = (await connection.execute(query.where(runs.c.id == whole))).first()
            return rows.run_row(row) if row else None

    @undisturbed
    async def list_runs(
        self,
        *,
        repository: str | None = None,
        status: Status | None = None,
        verdict: Verdict | None = None,
        limit: int = 50,
    ) -> Sequence[RunRow]:
        """Return runs, latest first; every attempt is a row of its own."""
        wanted = {"repository": repository, "status": status, "verdict": verdict}
        query = (
            select(runs).order_by(runs.c.requested_at.desc(), runs.c.id, runs.c.attempt.desc()).limit(limit)
        )
        for name, value in wanted.items():
            if value is not None:
                query = query.where(runs.c[name] == value)
        return [rows.run_row(row) for row in await self._all("listing runs", query)]

    @undisturbed
    async def append(self, event: Event) -> Event:
        """Add to the log under the next number of its run; an event whose (run, key) is there already is left as it was."""
        known = select(events).where(events.c.run == event.run, events.c.key == event.key)
        for _ in range(_TURNS):
            async with self._writing("recording an event") as connection:
                added = (await connection.execute(self._next_event(event))).first()
                if stored := added or (await connection.execute(known)).first():
                    return rows.event(stored)
        raise ConflictError(
            f"recording event {event.key} of {event.run}: too many writers at once",
            remedy="Repeat the command.",
        )

    @undisturbed
    async def events(self, run_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Return events of a run with seq > `after`, ascending."""
        query = select(events).where(events.c.run == run_id, events.c.seq > after)
        found = await self._all("reading events", query.order_by(events.c.seq).limit(limit))
        return [rows.event(row) for row in found]

    @undisturbed
    async def save_step(self, step: StepRecord) -> None:
        """Record a step under (run, attempt, name, subject)."""
        async with self._writing("recording a step") as connection:
            key = {"run": step.run, "attempt": step.attempt, "name": step.name, "subject": step.subject}
            await self._upsert(connection, steps, {**key, "started_at": step.started_at, "step": step})

    @undisturbed
    async def steps(self, run_id: str, attempt: int) -> Sequence[StepRecord]:
        """Return the steps of an attempt in the order of their start."""
        query = select(steps.c.step).where(steps.c.run == run_id, steps.c.attempt == attempt)
        ordered = query.order_by(steps.c.started_at, steps.c.name, steps.c.subject)
        return [row.step for row in await self._all("reading steps", ordered)]

    @undisturbed
    async def save_result(self, run: Run, result: SuiteResult) -> None:
        """Record a suite's result and its cases, in place of what was there."""
        async with self._writing("recording test results") as connection:
            await self._upsert(connection, suites, rows.suite_values(run, result))
            mine = and_(cases.c.run == run.id, cases.c.attempt == run.attempt, cases.c.suite == result.suite)
            await connection.execute(delete(cases).where(mine))
            if result.cases:
                await connection.execute(cases.insert(), rows.case_values(run, result))

    @undisturbed
    async def results(self, run_id: str, attempt: int) -> Sequence[SuiteResult]:
        """Return what has been recorded of the suites, by name."""
        async with self._reading("reading test results") as connection:
            of_suites = select(suites).where(suites.c.run == run_id, suites.c.attempt == attempt)
            of_cases = select(cases).where(cases.c.run == run_id, cases.c.attempt == attempt)
            found = (await connection.execute(of_suites.order_by(suites.c.suite))).all()
            each = (await connection.execute(of_cases.order_by(cases.c.suite, cases.c.position))).all()
            return [rows.suite_result(row, each) for row in found]

    @undisturbed
    async def save_image(self, run: Run, image: BuiltImage) -> None:
        """Record an image under (run, attempt, name)."""
        values = {"run": run.id, "attempt": run.attempt, "name": image.name, "image": image}
        async with self._writing("recording an image") as connection:
            await self._upsert(connection, images, values)

    @undisturbed
    async def images(self, run_id: str, attempt: int) -> Sequence[BuiltImage]:
        """Return the images of an attempt by name."""
        query = select(images.c.image).where(images.c.run == run_id, images.c.attempt == attempt)
        return [row.image for row in await self._all("reading images", query.order_by(images.c.name))]

    @undisturbed
    async def save_report(self, report: Report) -> None:
        """Record the report of an attempt."""
        values = {"run": report.run.id, "attempt": report.run.attempt, "report": report}
        async with self._writing("recording a report") as connection:
            await self._upsert(connection, reports, values)

    @undisturbed
    async def find_report(self, run_id: str, attempt: int | None = None) -> Report | None:
        """Return it, of the latest attempt that has one unless one is named."""
        query = select(reports.c.report).where(reports.c.run == run_id)
        if attempt is not None:
            query = query.where(reports.c.attempt == attempt)
        found = await self._all("reading a report", query.order_by(reports.c.attempt.desc()).limit(1))
        return found[0].report if found else None

    @undisturbed
    async def save_lease(self, lease: Lease) -> None:
        """Record what the mark on the namespace says."""
        key = {"namespace": lease.namespace, "run": lease.run, "expires_at": lease.expires_at}
        async with self._writing("recording a lease") as connection:
            await self._upsert(connection, leases, {**key, "lease": lease})

    @undisturbed
    async def leases(self) -> Sequence[Lease]:
        """Return all that are recorded, first to end first; the pinned ones last."""
        pinned = case((leases.c.expires_at.is_(None), 1), else_=0)
        query = select(leases.c.lease).order_by(pinned, leases.c.expires_at, leases.c.namespace)
        return [row.lease for row in await self._all("reading leases", query)]

    @undisturbed
    async def delete_lease(self, namespace: str) -> None:
        """Forget it."""
        async with self._writing("forgetting a lease") as connection:
            await connection.execute(delete(leases).where(leases.c.namespace == namespace))

    async def _prepare(self) -> None:
        async with self._reading("opening the records") as connection:
            if await connection.run_sync(schema.version) == schema.HEAD:
                return
        async with self._writing("preparing the records") as connection:
            await connection.run_sync(schema.migrate)

    async def _whole_id(self, connection: AsyncConnection, beginning: str) -> str:
        query = select(runs.c.id).where(runs.c.id.startswith(beginning, autoescape=True)).distinct().limit(10)
        found = (await connection.scalars(query.order_by(runs.c.id))).all()
        if beginning in found or not found:
            return beginning
        if len(found) > 1:
            raise UsageError(
                f"several runs begin with {beginning}: {', '.join(found)}", remedy="Write more of it."
            )
        return str(found[0])

    def _next_event(self, event: Event) -> Any:
        number = func.coalesce(func.max(events.c.seq), 0) + 1
        given = {name: getattr(event, name) for name in ("run", "key", "at", "kind", "subject", "data")}
        columns = [literal(value, events.c[name].type).label(name) for name, value in given.items()]
        chosen = select(*columns, number.label("seq")).where(events.c.run == event.run)
        insert = self._insert(events).from_select([*given, "seq"], chosen)
        return insert.on_conflict_do_nothing().returning(*events.c)

    def _insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        if self._engine.dialect.name == "sqlite":
            return sqlite.insert(table)
        return postgresql.insert(table)

    async def _upsert(
        self,
        connection: AsyncConnection,
        table: Table,
        values: Mapping[str, Any],
        *,
        keep: Sequence[str] = (),
    ) -> None:
        keys = [column.name for column in table.primary_key]
        rest = {name: value for name, value in values.items() if name not in {*keys, *keep}}
        await connection.execute(
            self._insert(table).values(values).on_conflict_do_update(index_elements=keys, set_=rest)
        )

    async def _all(self, doing: str, query: Select[Any]) -> Sequence[Row[Any]]:
        async with self._reading(doing) as connection:
            return list(await connection.execute(query))

    @asynccontextmanager
    async def _reading(self, doing: str) -> AsyncIterator[AsyncConnection]:
        with translated(doing, self._where):
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def _writing(self, doing: str) -> AsyncIterator[AsyncConnection]:
        with translated(doing, self._where):
            async with self._writer.begin() as connection:
                yield connection


def _is(table: Table, run_id: str, attempt: int) -> ColumnElement[bool]:
    return and_(table.c.id == run_id, table.c.attempt == attempt)
