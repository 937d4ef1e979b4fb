"""`SqlInbox`, `SqlOutbox`, `SqlDuties`: what came from a forge, what is to be told there, and who does it for all.

Law: every verb is one statement or one transaction; what has returned survives the end of the process.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, or_, select, update
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.expression import text

from conductor.adapters.stores.columns import clean
from conductor.adapters.stores.statements import Database
from conductor.adapters.stores.tables import announcements, deliveries, duties
from conductor.domain.delivery import Announcement, Delivery, DeliveryStatus

_ALL_BUT_BODY = [column for column in deliveries.c if column.name != "body"]
_CLOCKS = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "extract(epoch from clock_timestamp())::double precision",
}
"""Seconds since 1970 by the database's own clock, with their fractions."""


class SqlInbox:
    """The inbox on the database of a store: `SqlInbox(store.database)`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def store(self, delivery: Delivery) -> bool:
        """Keep it. False: its id is known, and nothing was changed."""
        values = {name: getattr(delivery, name) for name in deliveries.c.keys() if name != "number"}  # noqa: SIM118 -- columns
        adding = self._database.insert(deliveries).values(values).on_conflict_do_nothing()
        told = adding.returning(deliveries.c.number)
        return await self._database.write(
            "storing a delivery", lambda connection: connection.execute(told).first() is not None
        )

    async def find(self, delivery_id: str) -> Delivery | None:
        """Return it."""
        query = select(deliveries).where(deliveries.c.id == clean(delivery_id))
        found = await self._database.all("looking for a delivery", query)
        return _delivery(found[0], found[0].body) if found else None

    async def due(self, *, now: datetime, limit: int = 100) -> Sequence[Delivery]:
        """Return those that wait and may be tried now, in the order in which they came."""
        query = select(deliveries).where(
            deliveries.c.status == DeliveryStatus.WAITING, _may_be_tried(deliveries.c.due_at, now)
        )
        found = await self._database.all(
            "reading deliveries", query.order_by(deliveries.c.number).limit(limit)
        )
        return [_delivery(row, row.body) for row in found]

    async def settle(
        self, delivery_id: str, status: DeliveryStatus, *, note: str = "", run: str = "", attempt: int = 0
    ) -> None:
        """Say what became of it."""
        values = {"status": status, "note": note, "run": run, "attempt": attempt, "due_at": None}
        await self._change("settling a delivery", _of(delivery_id).values(values))

    async def postpone(self, delivery_id: str, *, until: datetime, note: str) -> None:
        """Have it tried again later; counts the try. One that was given up waits again."""
        values = {"status": DeliveryStatus.WAITING, "due_at": until, "note": note}
        again = _of(delivery_id).values(values | {"tries": deliveries.c.tries + 1})
        await self._change("postponing a delivery", again)

    async def deliveries(
        self, *, limit: int = 50, status: DeliveryStatus | None = None
    ) -> Sequence[Delivery]:
        """Return the latest ones, without their bodies."""
        query: Select[Any] = select(*_ALL_BUT_BODY).order_by(deliveries.c.number.desc()).limit(limit)
        if status is not None:
            query = query.where(deliveries.c.status == status)
        return [_delivery(row) for row in await self._database.all("listing deliveries", query)]

    async def forget(self, *, before: datetime) -> int:
        """Remove settled ones that came before that time; returns how many."""
        old = (deliveries.c.received_at < before, deliveries.c.status != DeliveryStatus.WAITING)
        return await self._change("forgetting deliveries", delete(deliveries).where(*old))

    async def _change(self, doing: str, statement: Any) -> int:
        """Execute it, and return how many rows it met."""
        return await self._database.write(doing, lambda connection: connection.execute(statement).rowcount)


class SqlOutbox:
    """The outbox on the database of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, announcement: Announcement) -> None:
        """Begin one; a row that is there already is left as it is."""
        adding = self._database.insert(announcements).values(_announced(announcement))
        await self._execute("opening an announcement", adding.on_conflict_do_nothing())

    async def save(self, announcement: Announcement) -> None:
        """Record how far it was told."""
        values = _announced(announcement)
        saving = self._database.insert(announcements).values(values)
        key = ("run", "attempt")
        rest = {name: value for name, value in values.items() if name not in key}
        await self._execute(
            "recording an announcement", saving.on_conflict_do_update(index_elements=key, set_=rest)
        )

    async def find(self, run: str, attempt: int) -> Announcement | None:
        """Return it."""
        mine = (announcements.c.run == clean(run), announcements.c.attempt == attempt)
        found = await self._database.all(
            "looking for an announcement", select(announcements.c.announcement).where(*mine)
        )
        return found[0].announcement if found else None

    async def due(self, *, now: datetime, limit: int = 100) -> Sequence[Announcement]:
        """Return those that are not final and may be looked at now, the longest due first."""
        query = select(announcements.c.announcement).where(
            announcements.c.final.is_(False), _may_be_tried(announcements.c.due_at, now)
        )
        waited = announcements.c.due_at.asc().nulls_first()
        ordered = query.order_by(waited, announcements.c.number).limit(limit)
        return [row.announcement for row in await self._database.all("reading announcements", ordered)]

    async def _execute(self, doing: str, statement: Any) -> None:
        await self._database.write(doing, lambda connection: connection.execute(statement).close())


class SqlDuties:
    """Duties on the database of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def hold(self, duty: str, holder: str, *, lasting: timedelta) -> bool:
        """Take the duty, or keep it, until `lasting` from now by the database's clock. False: another holds it."""
        return await self._database.write(
            "taking on a duty", lambda connection: self._hold(connection, duty, holder, lasting)
        )

    async def drop(self, duty: str, holder: str) -> None:
        """Let go of it, if it is one's own."""
        mine = delete(duties).where(duties.c.duty == clean(duty), duties.c.holder == clean(holder))
        await self._database.write("dropping a duty", lambda connection: connection.execute(mine).close())

    def _hold(self, connection: Connection, duty: str, holder: str, lasting: timedelta) -> bool:
        now = connection.execute(self._clock()).scalar_one()
        taking = self._database.insert(duties).values(
            duty=duty, holder=holder, until=now + lasting.total_seconds()
        )
        taken = connection.execute(
            taking.on_conflict_do_update(
                index_elements=["duty"],
                set_={"holder": taking.excluded.holder, "until": taking.excluded.until},
                where=or_(duties.c.holder == taking.excluded.holder, duties.c.until <= now),
            ).returning(duties.c.duty)
        )
        return taken.first() is not None

    def _clock(self) -> TextClause:
        return text(f"SELECT {_CLOCKS[self._database.dialect]}")


def _of(delivery_id: str) -> Any:
    return update(deliveries).where(deliveries.c.id == clean(delivery_id))


def _may_be_tried(due_at: Any, now: datetime) -> ColumnElement[bool]:
    return or_(due_at.is_(None), due_at <= now)


def _delivery(row: Row[Any], body: bytes = b"") -> Delivery:
    return Delivery(
        id=row.id,
        hosting=row.hosting,
        event=row.event,
        body=bytes(body),
        received_at=row.received_at,
        status=DeliveryStatus(row.status),
        tries=row.tries,
        due_at=row.due_at,
        note=row.note,
        run=row.run,
        attempt=row.attempt,
    )


def _announced(announcement: Announcement) -> dict[str, Any]:
    return {
        "run": announcement.run,
        "attempt": announcement.attempt,
        "final": announcement.final,
        "due_at": announcement.due_at,
        "announcement": announcement,
    }
