"""The queue: who is at work, who waits for what, and the switch that admits nobody new."""

from __future__ import annotations

from fastapi import APIRouter

from conductor.domain.queue import Entry, Standing
from conductor.operations.places import places
from conductor.web.api.schemas import QueueView, Waiting
from conductor.web.idempotency import Key, OnceRoute
from conductor.web.site import Caller, Operator, Reader

router = APIRouter(prefix="/queue", tags=["queue"], route_class=OnceRoute)


@router.get("", operation_id="getQueue")
async def get(caller: Reader) -> QueueView:
    """Show who is at work and who waits, with position, reason and estimate."""
    return await _view(caller)


@router.post("/drain", operation_id="drainQueue")
async def drain(caller: Operator, _key: Key = None) -> QueueView:
    """Admit nothing new, on any replica, over restarts; what runs goes on."""
    return await _turn(caller, on=True)


@router.post("/undrain", operation_id="undrainQueue")
async def undrain(caller: Operator, _key: Key = None) -> QueueView:
    """Admit again."""
    return await _turn(caller, on=False)


async def _turn(caller: Caller, *, on: bool) -> QueueView:
    await caller.site.service.queue.drain(on)
    await caller.did("queue.drain" if on else "queue.undrain")
    caller.site.has_news()
    return await _view(caller)


async def _view(caller: Caller) -> QueueView:
    service = caller.site.service
    entries = await service.queue.entries()
    seen = {id(one) for one in entries if caller.token.reaches(one.repository)}
    standing = await places(service, entries)
    active = [one for one in entries if one.standing is Standing.ACTIVE and id(one) in seen]
    waiting = [place for place in standing if caller.token.reaches(place.entry.repository)]
    return QueueView(
        draining=await service.queue.is_draining(),
        active=[_waiting(one) for one in active],
        waiting=[
            _waiting(place.entry).model_copy(
                update={"position": place.position, "reason": place.reason, "estimate": place.estimate}
            )
            for place in waiting
        ],
        others=len(entries) - len(seen),
    )


def _waiting(entry: Entry) -> Waiting:
    return Waiting(
        run=entry.run,
        attempt=entry.attempt,
        repository=entry.repository,
        branch=entry.branch,
        position=0,
        reason="",
        estimate=None,
        enqueued_at=entry.enqueued_at,
        admitted_at=entry.admitted_at,
    )
