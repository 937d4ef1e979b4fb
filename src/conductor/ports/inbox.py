"""The inbox: every delivery, stored before it is answered; and the outbox: what is still to be told on the forge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from conductor.domain.delivery import Announcement, Delivery, DeliveryStatus


class Inbox(Protocol):
    """Law: what `store` returned from survives a kill right after."""

    async def store(self, delivery: Delivery) -> bool:
        """Keep it. False: its id is known, and nothing was changed."""
        ...

    async def find(self, delivery_id: str) -> Delivery | None:
        """Return it."""
        ...

    async def due(self, *, now: datetime, limit: int = 100) -> Sequence[Delivery]:
        """Return those that wait and may be tried now, in the order in which they came."""
        ...

    async def settle(
        self, delivery_id: str, status: DeliveryStatus, *, note: str = "", run: str = "", attempt: int = 0
    ) -> None:
        """Say what became of it."""
        ...

    async def postpone(self, delivery_id: str, *, until: datetime, note: str) -> None:
        """Have it tried again later; counts the try."""
        ...

    async def deliveries(
        self, *, limit: int = 50, status: DeliveryStatus | None = None
    ) -> Sequence[Delivery]:
        """Return the latest ones, without their bodies."""
        ...

    async def forget(self, *, before: datetime) -> int:
        """Remove settled ones that came before that time; returns how many."""
        ...


class Outbox(Protocol):
    """What is told of runs on their forge. A row is made with the run's acceptance, so that none is ever missed."""

    async def open(self, announcement: Announcement) -> None:
        """Begin one; a row that is there already is left as it is."""
        ...

    async def save(self, announcement: Announcement) -> None:
        """Record how far it was told."""
        ...

    async def find(self, run: str, attempt: int) -> Announcement | None:
        """Return it."""
        ...

    async def due(self, *, now: datetime, limit: int = 100) -> Sequence[Announcement]:
        """Return those that are not final and may be looked at now, oldest first."""
        ...


class Duties(Protocol):
    """What one replica does for all: reconciling, sweeping, announcing. A duty is held for a while, and taken over when it lapses."""

    async def hold(self, duty: str, holder: str, *, lasting: timedelta) -> bool:
        """Take the duty, or keep it, until `lasting` from now by the database's clock. False: another holds it."""
        ...

    async def drop(self, duty: str, holder: str) -> None:
        """Let go of it, if it is one's own."""
        ...
