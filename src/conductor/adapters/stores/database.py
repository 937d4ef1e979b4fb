"""Connections: SQLite in WAL mode for several processes on one file, or any database by its URL.

Law: a transaction that writes takes SQLite's write lock when it begins, so it waits its turn and never fails half-way. The waiting is
for other processes: losers of a lock sleep and try again, in no order, so writers of one process come one after the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url

BUSY_SECONDS = 30
CONNECT_SECONDS = 10
"""How long a server may be silent."""
IDLE_SECONDS = 5
"""How long a process that stands still may hold a transaction open, and with it rows that others wait for."""
CONNECTIONS = 5
"""One that writes, and those that read."""
WRITES = "conductor_writes"
"""The execution option that marks a connection which writes."""


def url_of(url_or_path: str | Path) -> URL:
    """Make a database URL of a path, or choose the driver for a URL.

    >>> str(url_of("/state/conductor.db"))
    'sqlite:////state/conductor.db'
    >>> str(url_of("postgresql://db/conductor"))
    'postgresql+psycopg://db/conductor'
    """
    if isinstance(url_or_path, Path) or "://" not in url_or_path:
        return URL.create("sqlite", database=str(Path(url_or_path).absolute()))
    url = make_url(url_or_path)
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def known_as(url: URL) -> str:
    """Say which database that is, for people: a path, or server and name, without user and password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"{url.host or url.query.get('host', '')}/{url.database}"


def connect(url: URL) -> Engine:
    """Make an engine; nothing is opened yet."""
    if url.get_backend_name() != "sqlite":
        waits = {
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": CONNECT_SECONDS * 1000,
            "options": f"-c idle_in_transaction_session_timeout={IDLE_SECONDS * 1000}",
        }
        return create_engine(url, pool_pre_ping=True, connect_args={**waits, "application_name": "conductor"})
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(
        url,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_reset_on_return=None,  # every connection is given back after a commit or a rollback
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode")
    if cursor.fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
