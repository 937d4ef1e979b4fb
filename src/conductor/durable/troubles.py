"""What the workflow database's troubles mean, in Conductor's own errors."""

from __future__ import annotations

import logging
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from conductor.errors import ConductorError, StateError

_SPACE = "Free some space on the disk that holds the state folder (CONDUCTOR_STATE); `conductor runs resume` goes on."
_OTHER = "Free disk space, or look at the state folder's rights."

E = TypeVar("E", bound=BaseException)


def as_ours(error: E) -> E | StateError:
    """Say a database's error in our words; return any other as it is."""
    return state_error(error) if isinstance(error, SQLAlchemyError) else error


def state_error(error: SQLAlchemyError) -> StateError:
    """Make the error of records that cannot be read or written. A full disk is the one that is met in practice."""
    said = str(error.orig if isinstance(error, DBAPIError) else error).partition("\n")[0]
    if "disk is full" in said.lower():
        return StateError("recording how far the run is: the disk is full", remedy=_SPACE)
    return StateError(f"asking the workflow database: {said}", remedy=_OTHER)


class Foreseen(logging.Filter):
    """Takes the traceback off what DBOS logs of errors that the command itself tells, with a remedy."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, foreseen ones in one line."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, SQLAlchemyError | ConductorError):
            record.msg, record.args = f"a workflow was left where it is: {as_ours(error)}", ()
            record.exc_info = record.exc_text = None
        return True
