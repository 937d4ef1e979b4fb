"""What a database's errors mean, in Conductor's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from conductor.errors import ConductorError, ConflictError, StateError, UnreachableError

_DISK = "Free some space on the disk that holds the state folder (CONDUCTOR_STATE), then repeat the command."
_DAMAGED = (
    "Move the file away (a new one is made), or restore it from a backup. "
    "Stacks that are still running are found again by their marks."
)
_ACCESS = "See that the state folder (CONDUCTOR_STATE) exists and that you may write in it."
_BUSY = "Another process has held the records for long. Wait for it or end it, then repeat the command."

_SQLITE: tuple[tuple[str, type[ConductorError], str, str], ...] = (
    ("database or disk is full", StateError, "the disk is full", _DISK),
    ("disk i/o error", StateError, "the disk cannot be written or read", _DISK),
    ("malformed", StateError, "the file is damaged", _DAMAGED),
    ("not a database", StateError, "the file is damaged", _DAMAGED),
    ("readonly database", StateError, "the file may not be written", _ACCESS),
    ("unable to open database file", StateError, "the file cannot be opened", _ACCESS),
    ("database is locked", ConflictError, "another process holds them", _BUSY),
    ("already exists", StateError, "the file holds tables that are not Conductor's", _DAMAGED),
    ("no such table", StateError, "tables are missing", _DAMAGED),
    ("no such column", StateError, "tables are not what they should be", _DAMAGED),
)


_SERVER = "See that it runs and can be reached from here, and that user and password are right (CONDUCTOR_DATABASE)."
_AWAY = ("08", "53", "57P")
"""Classes of Postgres' error codes (appendix A): no connection, no resources, shut down."""
_RACES = ("40001", "40P01", "55P03")
"""Serialization failure, deadlock, lock not available."""
_RIGHTS = ("42501",)


@contextmanager
def translated(doing: str, where: str) -> Iterator[None]:
    """Raise the library's errors as our own; `where` is the database as people know it, without a password."""
    try:
        yield
    except DBAPIError as error:
        raise _meaning(error, doing, where) from error
    except ValidationError as error:
        raise StateError(
            f"{doing}: a record in {where} is damaged ({error.title})", remedy=_DAMAGED
        ) from error
    except PoolTimeoutError as error:
        raise UnreachableError(
            f"{doing}: no connection became free ({where})", remedy="Try again later."
        ) from error
    except SQLAlchemyError as error:
        raise StateError(f"{doing} in {where}: {error}", remedy=_DAMAGED) from error


def _meaning(error: DBAPIError, doing: str, where: str) -> ConductorError:
    said = str(error.orig).lower()
    for sign, kind, meaning, remedy in _SQLITE:
        if sign in said:
            return kind(f"{doing}: {meaning} ({where})", remedy=remedy)
    state = getattr(error.orig, "sqlstate", None)
    if state in _RACES:
        return ConflictError(f"{doing}: another process was quicker ({where})", remedy="Repeat it.")
    is_lost = isinstance(error, OperationalError) and (state is None or state.startswith(_AWAY))
    if error.connection_invalidated or "connection" in said or (is_lost and _is_server(error)):
        return UnreachableError(
            f"{doing}: the database does not answer ({where}): {_first_line(error)}", remedy=_SERVER
        )
    if state in _RIGHTS:
        return StateError(f"{doing}: {_first_line(error)} ({where})", remedy="Give its user that right.")
    return StateError(f"{doing} in {where}: {error.orig}", remedy=_DAMAGED)


def _is_server(error: DBAPIError) -> bool:
    return type(error.orig).__module__.startswith("psycopg")


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).partition("\n")[0]
