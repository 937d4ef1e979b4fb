"""`SqlQueue`: the queue in the same database as the runs, so that a run is taken in whole or not at all.

Laws. Whatever changes who waits and who is active takes one lock of the database first: SQLite's own, or Postgres's advisory lock for the
length of the transaction. An entry whose run has ended is gone, whether somebody took it out or not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, exists, func, select, text, update

from conductor.adapters.stores import rows
from conductor.adapters.stores.columns import clean
from conductor.adapters.stores.log import TURNS, append, too_many_writers
from conductor.adapters.stores.statements import Database
from conductor.adapters.stores.tables import causes, commits, queue, runs, switches, turns
from conductor.domain.event import Event, Kind
from conductor.domain.queue import Entry, Limits, Standing
from conductor.domain.run import Run, Status
from conductor.domain.trigger import Priority, Trigger
from conductor.ports.queue import Accepted

_LOCK = 0x636F6E6475637471
"""The number of the queue's advisory lock: `conductq`."""
_DRAIN = "drain"
_SEEN = "tags-seen/"
"""Before a repository's name: its tags were looked at."""
_NO_RUN = ""

Decide = Callable[[Sequence[Entry], Limits], Sequence[Entry]]


class SqlQueue:
    """The queue on the database of a store: `SqlQueue(store.database)`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, run: Run, *, cause: str, again: Callable[[Run], Run] | None = None) -> Accepted:
        """Take a run in under its repository and commit, and put it into the queue: all of it or nothing."""
        accepting = partial(self._accept, run=run, cause=cause, again=again)
        return await self._database.write("accepting a run", accepting)

    async def put(self, run: Run) -> None:
        """Put an attempt that is on record already into the queue; one that is there stays where it is."""

        def put(connection: Connection) -> None:
            _lock(connection)
            connection.execute(
                self._database.insert(runs).values(rows.run_values(run)).on_conflict_do_nothing()
            )
            self._enqueue(connection, run)

        await self._database.write("putting a run into the queue", put)

    async def entries(self) -> Sequence[Entry]:
        """Return what waits and what is active, in the order of arrival. What has ended is gone from here."""
        return await self._database.read("reading the queue", _entries)

    async def admit(self, decide: Decide, *, executor: str, at: datetime, limits: Limits) -> Sequence[Entry]:
        """Let `decide` choose under the lock, and mark the chosen ones active. Where nothing waits, no lock is taken."""
        if not await self._database.read("reading the queue", _anyone_waits):
            return ()

        def admit(connection: Connection) -> Sequence[Entry]:
            _lock(connection)
            connection.execute(delete(queue).where(~_goes_on()))
            draining = limits.draining or _is_draining(connection)
            chosen = decide(_entries(connection), replace(limits, draining=draining))
            return [self._admit(connection, entry, executor, at) for entry in chosen]

        return await self._database.write("admitting runs", admit)

    async def leave(self, run: str, attempt: int) -> None:
        """Take an entry out: its run has ended."""
        gone = delete(queue).where(queue.c.run == clean(run), queue.c.attempt == attempt)
        await self._database.write(
            "taking a run out of the queue", lambda connection: connection.execute(gone).close()
        )

    async def forget(self, *, before: datetime) -> int:
        """Remove what asked for runs that ended before that time, and the turns of repositories without a later run; count what asked."""
        ended = select(causes.c.cause).join(
            runs, and_(runs.c.id == causes.c.run, runs.c.attempt == causes.c.attempt)
        )
        old = ended.where(runs.c.ended_at < before)
        recent = exists().where(
            func.lower(runs.c.repository) == turns.c.repository, runs.c.requested_at >= before
        )

        def forget(connection: Connection) -> int:
            _lock(connection)
            connection.execute(delete(turns).where(~recent))
            return connection.execute(delete(causes).where(causes.c.cause.in_(old))).rowcount

        return await self._database.write("forgetting what asked for old runs", forget)

    async def drain(self, on: bool) -> None:  # noqa: FBT001 -- a switch
        """Stop, or go on, admitting: for all replicas, over restarts."""
        values = {"name": _DRAIN, "is_on": on}

        def switch(connection: Connection) -> None:
            _lock(connection)
            self._database.upsert(connection, switches, values)

        await self._database.write("draining the queue", switch)

    async def stood_before(self, repository: str, tagged: Collection[str]) -> frozenset[str]:
        """Return which commits had a tag, and no run, when it was asked for the first time; `tagged` have a tag now.

        They stand among the commits, without a run.
        """
        name = f"{_SEEN}{clean(repository.lower())}"

        def find(connection: Connection) -> frozenset[str]:
            if not _is_on(connection, name):
                _lock(connection)
                self._remember(connection, repository, tagged)
                self._database.upsert(connection, switches, {"name": name, "is_on": True})
            query = select(commits.c.commit).where(
                commits.c.repository == clean(repository.lower()), commits.c.run == _NO_RUN
            )
            return frozenset(row.commit for row in connection.execute(query))

        return await self._database.write("reading which tags stood before", find)

    def _remember(self, connection: Connection, repository: str, tagged: Collection[str]) -> None:
        """Write down commits that have no run."""
        if values := [
            {"repository": clean(repository.lower()), "commit": commit, "run": _NO_RUN}
            for commit in sorted(tagged)
        ]:
            connection.execute(self._database.insert(commits).values(values).on_conflict_do_nothing())

    async def is_draining(self) -> bool:
        """Tell whether nothing new is admitted."""
        return await self._database.read("reading the queue", _is_draining)

    async def durations(self, repository: str, *, limit: int = 20) -> Sequence[float]:
        """Return how many seconds the latest ended runs of a repository took from start to end: for estimates."""
        query = select(runs.c.started_at, runs.c.ended_at).where(
            runs.c.repository == clean(repository),
            runs.c.started_at.is_not(None),
            runs.c.ended_at.is_not(None),
        )
        found = await self._database.all(
            "reading how long runs take", query.order_by(runs.c.requested_at.desc()).limit(limit)
        )
        return [(row.ended_at - row.started_at).total_seconds() for row in found]

    def _accept(
        self, connection: Connection, *, run: Run, cause: str, again: Callable[[Run], Run] | None
    ) -> Accepted:
        _lock(connection)
        if (known := _answer_to(connection, cause)) is not None:
            return Accepted(run=known, is_new=False)
        latest = _latest_of_commit(connection, run) if run.source.commit else None
        if latest is None:
            accepted = Accepted(run=run, is_new=True)
        elif latest.status == Status.ENDED and again is not None:
            accepted = Accepted(run=again(latest.run), is_new=True)
        else:
            accepted = Accepted(run=latest.run, is_new=False)
        if accepted.is_new:
            self._take_in(connection, accepted.run)
        answer = {"cause": cause, "run": accepted.run.id, "attempt": accepted.run.attempt}
        connection.execute(causes.insert().values(answer))
        return accepted

    def _take_in(self, connection: Connection, run: Run) -> None:
        connection.execute(runs.insert().values(rows.run_values(run)))
        if run.source.commit:
            values = {"repository": run.repository.lower(), "commit": run.source.commit, "run": run.id}
            self._database.upsert(connection, commits, values)
        self._enqueue(connection, run)
        _log(connection, _requested(run))

    def _enqueue(self, connection: Connection, run: Run) -> None:
        """Add its entry; those of earlier attempts are over with it."""
        earlier = and_(queue.c.run == run.id, queue.c.attempt < run.attempt)
        connection.execute(delete(queue).where(earlier))
        values = {
            "run": run.id,
            "attempt": run.attempt,
            "repository": run.repository,
            "branch": run.source.branch or "",
            "commit": run.source.commit or "",
            "enqueued_at": run.requested_at,
            "priority": int((run.trigger or Trigger()).priority),
            "standing": Standing.WAITING,
        }
        connection.execute(self._database.insert(queue).values(values).on_conflict_do_nothing())

    def _admit(self, connection: Connection, entry: Entry, executor: str, at: datetime) -> Entry:
        marks = {"standing": Standing.ACTIVE, "admitted_at": at, "executor": executor}
        connection.execute(update(queue).where(queue.c.arrival == entry.arrival).values(marks))
        turn = connection.execute(select(func.coalesce(func.max(turns.c.turn), 0) + 1)).scalar_one()
        self._database.upsert(connection, turns, {"repository": entry.repository.lower(), "turn": turn})
        return replace(entry, standing=Standing.ACTIVE, admitted_at=at, executor=executor, last_turn=turn)


def _lock(connection: Connection) -> None:
    """Take the queue's lock until the transaction ends. On SQLite a transaction that writes has it from the start."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})


def _goes_on() -> Any:
    """Tell of an entry whether its run has not ended: a later attempt may have been begun by its own workflow."""
    later = runs.alias()
    last = (
        select(func.max(later.c.attempt)).where(later.c.id == queue.c.run).correlate(queue).scalar_subquery()
    )
    return exists().where(runs.c.id == queue.c.run, runs.c.attempt == last, runs.c.status != Status.ENDED)


def _entries(connection: Connection) -> Sequence[Entry]:
    query = select(queue).where(_goes_on()).order_by(queue.c.arrival)
    served = {row.repository: row.turn for row in connection.execute(select(turns))}
    return [_entry(row, served.get(row.repository.lower(), 0)) for row in connection.execute(query)]


def _entry(row: Row[Any], last_turn: int) -> Entry:
    return Entry(
        run=row.run,
        attempt=row.attempt,
        repository=row.repository,
        branch=row.branch,
        commit=row.commit,
        arrival=row.arrival,
        enqueued_at=row.enqueued_at,
        priority=Priority(row.priority),
        standing=Standing(row.standing),
        admitted_at=row.admitted_at,
        executor=row.executor,
        last_turn=last_turn,
    )


def _anyone_waits(connection: Connection) -> bool:
    waits = select(queue.c.arrival).where(queue.c.standing == Standing.WAITING).limit(1)
    return connection.execute(waits).first() is not None


def _is_draining(connection: Connection) -> bool:
    return _is_on(connection, _DRAIN)


def _is_on(connection: Connection, switch: str) -> bool:
    return bool(connection.scalar(select(switches.c.is_on).where(switches.c.name == clean(switch))))


def _answer_to(connection: Connection, cause: str) -> Run | None:
    """Return the run that this cause got the first time."""
    same = and_(runs.c.id == causes.c.run, runs.c.attempt == causes.c.attempt)
    query = select(runs.c.run).join(causes, same).where(causes.c.cause == clean(cause))
    return next((row.run for row in connection.execute(query)), None)


def _latest_of_commit(connection: Connection, run: Run) -> Row[Any] | None:
    """Return the last attempt of the run of this commit."""
    mine = and_(commits.c.repository == clean(run.repository.lower()), commits.c.commit == run.source.commit)
    query: Select[Any] = (
        select(runs.c.run, runs.c.status).join(commits, commits.c.run == runs.c.id).where(mine)
    )
    return connection.execute(query.order_by(runs.c.attempt.desc()).limit(1)).first()


def _log(connection: Connection, event: Event) -> None:
    if not any(append(connection, event) for _ in range(TURNS)):
        raise too_many_writers(event)


def _requested(run: Run) -> Event:
    source = run.source
    data = {
        "repository": run.repository,
        "commit": source.commit,
        "ref": source.ref,
        "principal": run.principal,
    }
    key = "requested" if run.attempt == 1 else f"{run.attempt}/requested"
    return Event(run=run.id, key=key, at=run.requested_at, kind=Kind.RUN_REQUESTED, data=data)
