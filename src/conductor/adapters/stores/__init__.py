"""The store in SQL: SQLite on one machine, written so that Postgres works too.

What belongs here: tables, migrations, and the mapping of rows to values. What does not: any decision about a run.
"""

from conductor.adapters.stores.sql import SqlStore

__all__ = ["SqlStore"]
