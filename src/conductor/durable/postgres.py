"""Postgres as the workflows' database: one schema of its own, beside the tables of our records."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

SCHEMA = "durable"
"""Where the workflow library's tables and the heartbeats are; our records are in the connection's own schema."""

CONNECT_WITHIN = timedelta(seconds=5)
CONNECTIONS = 10
"""Connections that a replica keeps open for its workflows, and as many more in a rush."""
IDLE_WITHIN = timedelta(seconds=5)
"""How long a process that stands still may hold a transaction open, and with it rows that others wait for."""


def is_postgres(database: str) -> bool:
    """Tell whether that is the URL of a Postgres database."""
    return database.startswith(("postgresql://", "postgresql+psycopg://"))


def engine_of(database: str, **changes: Any) -> sa.Engine:
    """Make an engine; nothing is opened yet. A server that fell silent is noticed by the kernel, not waited for."""
    url = sa.make_url(database).set(drivername="postgresql+psycopg")
    milliseconds = int(IDLE_WITHIN.total_seconds() * 1000)
    usual: dict[str, Any] = {
        "connect_timeout": int(CONNECT_WITHIN.total_seconds()),
        "application_name": "conductor",
        "options": f"-c idle_in_transaction_session_timeout={milliseconds}",
        "tcp_user_timeout": int(CONNECT_WITHIN.total_seconds() * 1000),
        "keepalives_idle": 10,
        "keepalives_interval": 2,
        "keepalives_count": 3,
    }
    given = {**usual, **changes.pop("connect_args", {})}
    pool = {"pool_size": CONNECTIONS, "max_overflow": CONNECTIONS, "pool_pre_ping": True}
    return sa.create_engine(url, connect_args=given, **{**pool, **changes})
