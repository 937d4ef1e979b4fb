"""Cursors: opaque to clients, places in lists to us."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

from conductor.errors import UsageError
from conductor.ports.store import Position


def cursor_of(place: Position) -> str:
    """Write the place of the last row of a page."""
    return _encoded([place.requested_at.isoformat(), place.id, place.attempt])


def position_of(cursor: str | None) -> Position | None:
    """Read such a cursor. UsageError where it is none of ours."""
    match _decoded(cursor):
        case None:
            return None
        case [str(at), str(run), int(attempt)]:
            try:
                moment = datetime.fromisoformat(at)
            except ValueError:
                raise _foreign() from None
            if moment.tzinfo is None:
                raise _foreign()
            return Position(requested_at=moment, id=run, attempt=attempt)
        case _:
            raise _foreign()


def number_cursor(number: int) -> str:
    """Write a place that is a number."""
    return _encoded([number])


def number_of(cursor: str | None) -> int | None:
    """Read such a cursor. UsageError where it is none of ours."""
    match _decoded(cursor):
        case None:
            return None
        case [int(number)] if 0 <= number < 1 << 53:
            return number
        case _:
            raise _foreign()


def _encoded(parts: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _decoded(cursor: str | None) -> Any:
    if not cursor:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        raise _foreign() from None


def _foreign() -> UsageError:
    return UsageError("the cursor is none of this server's", remedy="Take `next` of the page before.")
