"""The processes of one Postgres database, by their heartbeats: what `Executors` is where several replicas share a database.

Each has a row in `durable.executors`, whose time the database's own clock writes once a second. Law: the row is the ownership. Whoever
takes a process over deletes its row first, in one statement that spares a row whose last beat is young; a process whose row is gone is
dead, and finds out with its next beat. One that cannot beat at all, because the database is away or the machine stood still, gives up by
itself, on the same machine's clock, before anybody else may declare it dead. What it still tried to record afterwards is refused by the
workflow library, which fences each workflow by a token of its latest owner.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from conductor.durable.executors import at_work, fresh_id
from conductor.durable.postgres import engine_of
from conductor.durable.troubles import as_ours

BEAT_EVERY = timedelta(seconds=1)
DEAD_AFTER = timedelta(seconds=5)
"""How old, by the database's clock, the last beat of a dead process is at least."""
GIVE_UP_AFTER = timedelta(seconds=4)
"""After how long without a beat, counted from before it was sent, a process lets go of its own runs: before others may take them."""
ANSWER_WITHIN = timedelta(seconds=2)
"""How long one question may take; a beat that takes longer is tried again on another connection."""
LAUNCH_WITHIN = timedelta(seconds=60)
"""How long a process waits for another that makes or changes the tables."""

_LAUNCHING, _TAKING_OVER = 0x636F6E64, 0x74616B65
"""Keys of advisory locks, which are the whole database's: 'cond' and 'take'."""
_TRIES = 25
_BETWEEN_TRIES_SECONDS = 0.02
_THREADS = 4

_TABLE = sa.text("SELECT to_regclass('durable.executors') IS NOT NULL")
_MAKE = (
    sa.text("CREATE SCHEMA IF NOT EXISTS durable"),
    sa.text(
        "CREATE TABLE IF NOT EXISTS durable.executors"
        " (id text PRIMARY KEY, host text NOT NULL, pid integer NOT NULL, beat timestamptz NOT NULL)"
    ),
)
_ENTER = sa.text("INSERT INTO durable.executors VALUES (:id, :host, :pid, clock_timestamp())")
_BEAT = sa.text("UPDATE durable.executors SET beat = clock_timestamp() WHERE id = :id RETURNING id")
_LEAVE = sa.text("DELETE FROM durable.executors WHERE id = :id")
_LIVING = sa.text(
    "SELECT id FROM durable.executors WHERE id = ANY(:ids) AND beat > clock_timestamp() - :limit"
)
_WHO = sa.text("SELECT pid, host FROM durable.executors WHERE id = :id")
_BURY = sa.text("DELETE FROM durable.executors WHERE id = :id AND beat <= clock_timestamp() - :limit")
_BURY_ALL = sa.text("DELETE FROM durable.executors WHERE beat <= clock_timestamp() - :limit")
_IS_THERE = sa.text("SELECT EXISTS (SELECT 1 FROM durable.executors WHERE id = :id)")
_LOCK = sa.text("SELECT pg_advisory_lock(:key, 0)")
_TRY_LOCK = sa.text("SELECT pg_try_advisory_lock(:key, hashtext(:id))")

T = TypeVar("T")


class Heartbeats:
    """The processes of one database, by the rows that they keep young."""

    def __init__(self, database: str) -> None:
        seconds = int(ANSWER_WITHIN.total_seconds())
        self._engine = engine_of(
            database,
            pool_size=_THREADS,
            pool_timeout=seconds,
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": seconds, "options": f"-c statement_timeout={seconds * 1000}"},
        )
        self._pool = ThreadPoolExecutor(_THREADS, "heartbeats")
        self._over = threading.Event()
        self._beating: threading.Thread | None = None
        self._last = 0.0
        self._is_buried = False
        self.own = ""

    def enter(self, name: str | None = None) -> str:
        """Become one of them under a fresh id, and keep it alive by a thread that nothing else holds up."""
        with self._troubles():
            if not self._ask(_TABLE):
                with self.alone(), self._engine.connect() as connection:
                    for statement in _MAKE:
                        connection.execute(statement)
            own, sent = fresh_id(name), _now()
            self._do(_ENTER, id=own, host=socket.gethostname(), pid=os.getpid())
        self.own, self._last = own, sent
        self._beating = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)
        self._beating.start()
        return own

    def leave(self) -> None:
        """Beat no more, take the row away, and let go of the database. Left already: nothing happens."""
        self._over.set()
        if self._beating:
            self._beating.join(ANSWER_WITHIN.total_seconds() * 2)
            with suppress(SQLAlchemyError):  # it is as good as dead: its row grows old
                self._do(_LEAVE, id=self.own)
            self._beating = None
        self._engine.dispose()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes out while the database is made or changed."""
        with self._session() as connection:
            seconds = int(LAUNCH_WITHIN.total_seconds())
            connection.execute(sa.text(f"SET statement_timeout = '{seconds}s'"))
            connection.execute(_LOCK, {"key": _LAUNCHING})
            yield

    def is_lost(self) -> bool:
        """Tell whether the last beat is too long ago, or found no row."""
        return self._beating is not None and (
            self._is_buried or _now() - self._last > GIVE_UP_AFTER.total_seconds()
        )

    async def living(self, ids: Collection[str]) -> frozenset[str]:
        """Return whose last beat is young."""
        asked = sorted(set(ids))
        return frozenset(await self._apart(lambda: self._all(_LIVING, ids=asked, limit=DEAD_AFTER)))

    async def describe(self, executor: str) -> str:
        """Say who that is, for people."""
        found = await self._apart(lambda: self._row(_WHO, id=executor))
        return f"process {found.pid} on {found.host}" if found else f"executor {executor}"

    @asynccontextmanager
    async def takeover(self, executor: str) -> AsyncIterator[None]:
        """Hold a lock of the database on a dead process, whose row is gone then, so that only one takes its work."""
        session = self._session()
        connection = await self._apart(session.__enter__)
        try:
            for _ in range(_TRIES):
                if await self._apart(lambda: _bury(connection, executor)):
                    break
                await asyncio.sleep(_BETWEEN_TRIES_SECONDS)
            else:
                raise at_work(await self.describe(executor))
            yield
        finally:
            await asyncio.shield(self._apart(lambda: session.__exit__(None, None, None)))

    async def sweep(self) -> None:
        """Forget the dead."""
        await self._apart(lambda: self._do(_BURY_ALL, limit=DEAD_AFTER))

    def _beat_on(self) -> None:
        while not self._over.wait(BEAT_EVERY.total_seconds()) and not self._is_buried:
            self._beat()

    def _beat(self) -> None:
        sent = _now()
        try:
            self._is_buried = self._ask(_BEAT, id=self.own) is None
        except SQLAlchemyError as error:
            logging.getLogger(__name__).warning("a heartbeat failed: %s", as_ours(error))
        else:
            self._last = sent

    @contextmanager
    def _session(self) -> Iterator[sa.Connection]:
        """Give a connection of its own: what it locked is free when it is closed, or when its process dies."""
        connection = self._engine.connect()
        try:
            connection.detach()
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _troubles(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise as_ours(error) from error

    async def _apart(self, work: Callable[[], T]) -> T:
        with self._troubles():
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _do(self, statement: sa.TextClause, **values: Any) -> None:
        with self._engine.connect() as connection:
            connection.execute(statement, values)

    def _ask(self, statement: sa.TextClause, **values: Any) -> Any:
        with self._engine.connect() as connection:
            return connection.execute(statement, values).scalar()

    def _all(self, statement: sa.TextClause, **values: Any) -> list[str]:
        with self._engine.connect() as connection:
            return list(connection.scalars(statement, values))

    def _row(self, statement: sa.TextClause, **values: Any) -> sa.Row[Any] | None:
        with self._engine.connect() as connection:
            return connection.execute(statement, values).first()


def _bury(connection: sa.Connection, executor: str) -> bool:
    """Lock the process's work and delete its row, both or neither. False where it lives, or another has the lock."""
    who: Mapping[str, Any] = {"id": executor}
    if not connection.execute(_TRY_LOCK, {"key": _TAKING_OVER, **who}).scalar():
        return False
    connection.execute(_BURY, {**who, "limit": DEAD_AFTER})
    return not connection.execute(_IS_THERE, who).scalar()


def _now() -> float:
    """Return seconds on a clock that nobody sets and that counts on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
