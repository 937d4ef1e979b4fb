"""The event log: an event gets the next number of its run in the statement that writes it."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from conductor.adapters.stores import rows
from conductor.adapters.stores.statements import insert
from conductor.adapters.stores.tables import events
from conductor.domain.event import Event
from conductor.errors import ConflictError

TURNS = 100
"""How often an append may lose the race for the next number: only where writers do not take turns, as on Postgres."""

_GIVEN = ("run", "key", "at", "kind", "subject", "data")
"""What an event has but its number."""


def append(connection: Connection, event: Event) -> Event | None:
    """Return the event as it is stored; None where another writer took its number."""
    known = select(events).where(events.c.run == event.run, events.c.key == event.key)
    given = {f"given_{name}": getattr(event, name) for name in _GIVEN}
    added = connection.execute(_next_event(connection.dialect.name), given).first()
    stored = added or connection.execute(known).first()
    return rows.event(stored) if stored else None


def too_many_writers(event: Event) -> ConflictError:
    """Say that the race was lost every time."""
    return ConflictError(
        f"recording event {event.key} of {event.run}: too many writers at once", remedy="Repeat the command."
    )


@cache
def _next_event(dialect: str) -> Any:
    """Write the statement once: it is the one that is asked most."""
    number = func.coalesce(func.max(events.c.seq), 0) + 1
    given = {name: bindparam(f"given_{name}", type_=events.c[name].type) for name in _GIVEN}
    columns = [value.label(name) for name, value in given.items()]
    chosen = select(*columns, number.label("seq")).where(events.c.run == given["run"])
    statement = insert(dialect, events).from_select([*given, "seq"], chosen)
    return statement.on_conflict_do_nothing().returning(*events.c)
