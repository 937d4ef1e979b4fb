"""What the workflow database's troubles mean, in Conductor's own errors."""

from __future__ import annotations

import logging
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from conductor.errors import ConductorError, StateError, UnreachableError

_SPACE = "Free some space on the disk that holds the state folder (CONDUCTOR_STATE); `conductor runs resume` goes on."
_OTHER = "Free disk space, or look at the state folder's rights."

_AWAY = "See that it runs and can be reached from here (CONDUCTOR_DATABASE)."

E = TypeVar("E", bound=BaseException)


def as_ours(error: E) -> E | ConductorError:
    """Say a database's error in our words; return any other as it is."""
    return state_error(error) if isinstance(error, SQLAlchemyError) else error


def state_error(error: SQLAlchemyError) -> ConductorError:
    """Make the error of records that cannot be read or written: a full disk, or a server that does not answer."""
    said = str(error.orig if isinstance(error, DBAPIError) else error).partition("\n")[0]
    if "disk is full" in said.lower():
        return StateError("recording how far the run is: the disk is full", remedy=_SPACE)
    if _is_away(error):
        return UnreachableError(f"the workflow database does not answer: {said}", remedy=_AWAY)
    return StateError(f"asking the workflow database: {said}", remedy=_OTHER)


def _is_away(error: SQLAlchemyError) -> bool:
    """Tell whether it is a server that cannot be reached, or that threw us out; a file is never away."""
    if isinstance(error, PoolTimeoutError):
        return True
    own = type(error.orig).__module__ if isinstance(error, DBAPIError) else ""
    return isinstance(error, OperationalError | InterfaceError) and own.startswith("psycopg")


class Foreseen(logging.Filter):
    """Takes the traceback off what DBOS logs of errors that the command itself tells, with a remedy."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, foreseen ones in one line."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, SQLAlchemyError | ConductorError):
            record.msg, record.args = f"a workflow was left where it is: {as_ours(error)}", ()
            record.exc_info = record.exc_text = None
        return True
