"""How steps write to the run's log of events."""

from __future__ import annotations

from typing import Any

from conductor.domain.event import Event, Kind, Told
from conductor.ports.world import the_world


async def tell(run: Told, kind: Kind, *, key: str, subject: str = "", **data: Any) -> None:
    """Append an event. The same key again, as after a crash, changes nothing; keys are apart between attempts."""
    world = the_world()
    await world.store.append(
        Event(
            run=run.id,
            key=f"{run.attempt}/{kind}/{subject}/{key}",
            at=world.clock.now(),
            kind=kind,
            subject=subject,
            data=data,
        )
    )
