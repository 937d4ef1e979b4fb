"""Bring a database to the tables of this version, and say no to one that is newer.

Laws: a database that is up to date is opened with one query and without the migration library. Of several processes that find an older
one only one changes it, and the others find it done.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from conductor.errors import StateError

HEAD = "0003"
"""The latest migration in `migrations/versions`."""

_VERSION_TABLE = "alembic_version"
_LOCK = text("SELECT pg_advisory_xact_lock(1668181604)")
"""Postgres has no lock on a whole database, as a write is on SQLite: this number ('cond') stands for it until the transaction ends."""


def version(connection: Connection) -> str | None:
    """Return the migration that the database stands at; None where there has been none."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def migrate(connection: Connection, *, to: str = HEAD) -> None:
    """Apply what is missing, in the transaction that the caller holds. Raises `StateError` for a newer database."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK)
    current = version(connection)
    if current != to:
        _upgrade(connection, current, to)


def _upgrade(connection: Connection, current: str | None, to: str) -> None:
    from alembic.config import Config  # noqa: PLC0415 -- slow, and needed once in a database's life
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
        raise StateError(
            f"opening the records: they were written by a newer Conductor (schema {current}, this one knows {HEAD})",
            remedy="Upgrade Conductor, or name another place for them (CONDUCTOR_STATE, CONDUCTOR_DATABASE).",
        )
    with EnvironmentContext(config, script) as environment:
        environment.configure(
            connection=connection,
            fn=lambda revision, _context: script._upgrade_revs(to, revision),  # noqa: SLF001 -- what alembic's own `upgrade` hands over
        )
        environment.run_migrations()
