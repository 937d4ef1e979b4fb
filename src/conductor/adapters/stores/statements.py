"""`Database`: transactions of the records in threads of their own, and the statements that SQLite and Postgres write differently.

Laws: what was begun is finished, also when who asked is cancelled. A transaction is one piece of work in a thread: what waits in
between is nobody's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, Select, Table
from sqlalchemy.dialects import postgresql, sqlite

from conductor.adapters.stores.database import WRITES, known_as
from conductor.adapters.stores.problems import translated
from conductor.adapters.stores.threads import Threads

T = TypeVar("T")

_THREADS = 4


class Database:
    """One database, shared by everything that keeps its records in it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(**{WRITES: True})
        self._where = known_as(engine.url)
        self._readers = Threads("store-reads", _THREADS)
        self._writers = Threads("store-writes", 1 if engine.dialect.name == "sqlite" else _THREADS)

    @property
    def dialect(self) -> str:
        """Name the kind of database: `sqlite`, `postgresql`."""
        return self.engine.dialect.name

    async def aclose(self) -> None:
        """Let go of the database."""
        for threads in (self._readers, self._writers):
            threads.close()
        await asyncio.to_thread(self.engine.dispose)

    async def read(self, doing: str, work: Callable[[Connection], T]) -> T:
        """Return what `work` finds. `doing` tells people what failed."""

        def read() -> T:
            with translated(doing, self._where), self.engine.connect() as connection:
                return work(connection)

        return await self._readers(read)

    async def write(self, doing: str, work: Callable[[Connection], T]) -> T:
        """Do `work` in one transaction, and return what it returned once that is committed."""

        def write() -> T:
            with translated(doing, self._where), self._writer.begin() as connection:
                return work(connection)

        return await self._writers(write)

    async def all(self, doing: str, query: Select[Any]) -> Sequence[Row[Any]]:
        """Return every row."""
        return await self.read(doing, lambda connection: list(connection.execute(query)))

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Begin an insert that knows ON CONFLICT."""
        return insert(self.dialect, table)

    def upsert(
        self, connection: Connection, table: Table, values: Mapping[str, Any], *, keep: Sequence[str] = ()
    ) -> None:
        """Write a row in place of the one with its key; of that one, what `keep` names is left as it is."""
        keys = [column.name for column in table.primary_key]
        rest = {name: value for name, value in values.items() if name not in {*keys, *keep}}
        connection.execute(
            self.insert(table).values(values).on_conflict_do_update(index_elements=keys, set_=rest)
        )


def insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Begin an insert that knows ON CONFLICT."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
