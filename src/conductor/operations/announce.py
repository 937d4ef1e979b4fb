"""Tell on the forge how runs stand and how they ended. What cannot be told now is kept and told later; nothing is given up.

Law: an announcement is final only when the run has ended and its end was told.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from conductor.domain.delivery import Announcement
from conductor.domain.run import Status
from conductor.errors import ConductorError, NotFoundError, StateError
from conductor.operations.waiting import wait_before
from conductor.ports.service import Service
from conductor.ports.store import RunRow
from conductor.reports.telling import telling

BATCH = 100
SIDE_BY_SIDE = 4
WHILE_RUNNING = timedelta(seconds=3)
"""How often at most a run at work is told of."""
WHILE_WAITING = timedelta(seconds=15)

_log = logging.getLogger(__name__)


async def announce(service: Service, *, limit: int = BATCH) -> Counter[str]:
    """Tell what is due, and count what came of it: `told`, `unchanged`, `failed`."""
    due = await service.outbox.due(now=service.world.clock.now(), limit=limit)
    slots = asyncio.Semaphore(SIDE_BY_SIDE)

    async def tell(announcement: Announcement) -> str:
        async with slots:
            return await _tell_or_keep(service, announcement)

    return Counter(await asyncio.gather(*(tell(one) for one in due)))


async def _tell_or_keep(service: Service, announcement: Announcement) -> str:
    try:
        told = await _tell(service, announcement)
    except StateError:
        raise
    except ConductorError as error:
        return await _keep(service, announcement, error.message, error)
    except Exception as error:  # noqa: BLE001 -- our own mistake with one is in no other's way, and loses nothing
        _log.exception("telling of run %s went wrong", announcement.run)
        return await _keep(service, announcement, f"a mistake of Conductor's: {type(error).__name__}")
    await service.outbox.save(told)
    return "told" if told.told != announcement.told else "unchanged"


async def _tell(service: Service, announcement: Announcement) -> Announcement:
    hosting = service.hostings.get(announcement.hosting)
    if hosting is None:
        raise NotFoundError(f"this server knows no forge {announcement.hosting!r}")
    row = await _row_of(service, announcement)
    if row is None:
        return replace(announcement, final=True, error="the run is not on record any more")
    store, key = service.world.store, (row.run.id, row.run.attempt)
    steps, report = await store.steps(*key), await store.find_report(*key)
    told = await hosting.announce(announcement, telling(row, steps, report, service.policy.public_url))
    wait = WHILE_WAITING if row.status is Status.QUEUED else WHILE_RUNNING
    return replace(
        told,
        final=told.final and row.status is Status.ENDED,
        tries=0,
        error="",
        due_at=service.world.clock.now() + wait,
    )


async def _row_of(service: Service, announcement: Announcement) -> RunRow | None:
    """Return the attempt to tell of: where the platform was at fault a run went on by itself with its second, and that is told."""
    store = service.world.store
    if announcement.attempt == 1:
        second = await store.find_run(announcement.run, attempt=2)
        if second and second.run.rerun is None:
            return second
    return await store.find_run(announcement.run, attempt=announcement.attempt)


async def _keep(
    service: Service, announcement: Announcement, said: str, error: ConductorError | None = None
) -> str:
    due_at = service.world.clock.now() + wait_before(announcement.tries, error)
    await service.outbox.save(replace(announcement, tries=announcement.tries + 1, due_at=due_at, error=said))
    return "failed"
