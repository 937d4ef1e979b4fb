"""Take deliveries in: what the inbox holds becomes runs, attempts and commands, each once, however often it is begun.

A batch goes through three stages. What has to be asked of the forge is asked side by side; then the deliveries take effect one after the
other, in the order in which they came; then the branches that they touched are settled. A delivery is settled last of all: what dies
before that is done again, and every part of it bears that.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from conductor.domain.delivery import (
    CommandGiven,
    Delivery,
    DeliveryStatus,
    Nothing,
    Placed,
    RerunAsked,
    TagPushed,
    Wish,
    WorkflowEnded,
)
from conductor.errors import ConductorError, RunError, StateError
from conductor.operations import commands, supersede
from conductor.operations.accepting import accept, everything_anew
from conductor.operations.admissible import Triggers, is_allowed
from conductor.operations.settling import Settled, joined_or_started
from conductor.operations.supersede import Branch
from conductor.operations.waiting import wait_before
from conductor.ports.hosting import Hosting
from conductor.ports.service import Service

BATCH = 100
SIDE_BY_SIDE = 8
"""How many deliveries of a batch ask their forge at a time."""
GIVE_UP_AFTER = timedelta(hours=24)
"""Then the reconciler finds the tag, when the forge answers again."""

_log = logging.getLogger(__name__)


async def receive(service: Service, delivery: Delivery) -> bool:
    """Store a verified delivery. False: it is known. One that was given up before a run existed is handled once more."""
    if await service.inbox.store(delivery):
        return True
    known = await service.inbox.find(delivery.id)
    if known and known.status is DeliveryStatus.FAILED:
        now = service.world.clock.now()
        await service.inbox.postpone(known.id, until=now, note="it was delivered again")
    return False


@dataclass(kw_only=True)
class Taken:
    """What became of a batch: how many deliveries by their status; those that wait for another try are `waiting`."""

    counts: Counter[DeliveryStatus] = field(default_factory=Counter)
    is_full: bool = False
    """There may be more that is due."""


async def take_in(service: Service, *, limit: int = BATCH) -> Taken:
    """Handle what is due, at most `limit` of it. StateError where our own records cannot be written: everything stays as it was."""
    due = await service.inbox.due(now=service.world.clock.now(), limit=limit)
    asked = await _ask_forges(service, due)
    handled: list[tuple[Delivery, Settled | ConductorError]] = []
    for delivery, wish in zip(due, asked, strict=True):
        handled.append((delivery, await _take_effect(service, delivery, wish)))
    troubles = await supersede.settle(service, _touched(handled))
    taken = Taken(is_full=len(due) >= limit)
    for delivery, settled in handled:
        trouble = troubles.get(settled.branch) if isinstance(settled, Settled) and settled.branch else None
        taken.counts[await _settle(service, delivery, trouble or settled)] += 1
    return taken


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ready:
    """A tag that is to be run."""

    placed: Placed


_Asked = _Ready | Settled | ConductorError | CommandGiven | RerunAsked


async def _ask_forges(service: Service, due: Sequence[Delivery]) -> list[_Asked]:
    """Find out what each delivery is about. Errors are answers too: one delivery stops no other."""
    triggers = Triggers(service.world.forge)
    slots = asyncio.Semaphore(SIDE_BY_SIDE)

    async def ask(delivery: Delivery) -> _Asked:
        async with slots:
            try:
                return await _ask(service, triggers, delivery)
            except ConductorError as error:
                return error
            except Exception as error:  # noqa: BLE001 -- our own mistake with one delivery is in no other's way
                return _mistake(delivery, error)

    return list(await asyncio.gather(*(ask(delivery) for delivery in due)))


async def _ask(service: Service, triggers: Triggers, delivery: Delivery) -> _Asked:
    hosting = service.hostings.get(delivery.hosting)
    if hosting is None:
        return _ignored(f"this server knows no forge {delivery.hosting!r}")
    wish: Wish = hosting.read(delivery)
    if isinstance(wish, Nothing):
        return _ignored(wish.why)
    if isinstance(wish, WorkflowEnded):
        return _rung(service, wish)
    if not is_allowed(service.policy, wish.repository):
        return _ignored(f"{wish.repository} is not on the list of allowed repositories")
    if isinstance(wish, TagPushed):
        return await _ask_of_tag(triggers, hosting, delivery, wish)
    return wish


def _rung(service: Service, ended: WorkflowEnded) -> Settled:
    """Have whoever waits for that workflow here look at once; where another replica does, it looks by itself soon."""
    workflows = service.world.workflows
    if workflows and workflows.ended(ended):
        return Settled(status=DeliveryStatus.DONE, note="a sync of secrets waits for it")
    return _ignored("nothing waits here for that workflow")


async def _ask_of_tag(
    triggers: Triggers, hosting: Hosting, delivery: Delivery, pushed: TagPushed
) -> _Ready | Settled:
    placed = await hosting.place(pushed)
    if not await triggers.include(placed.source, pushed.tag):
        return _ignored(f"{pushed.tag} is not among the trigger tags of the default branch's file")
    trigger = replace(placed.trigger, hosting=hosting.name, delivery=delivery.id, tag=pushed.tag)
    return _Ready(placed=replace(placed, trigger=trigger))


async def _take_effect(service: Service, delivery: Delivery, asked: _Asked) -> Settled | ConductorError:
    if isinstance(asked, StateError):
        raise asked
    try:
        if isinstance(asked, _Ready):
            return await _run(service, delivery, asked.placed)
        if isinstance(asked, CommandGiven):
            return await commands.carry_out(service, delivery, asked)
        if isinstance(asked, RerunAsked):
            return await commands.press(service, delivery, asked)
    except StateError:
        raise
    except ConductorError as error:
        return error
    except Exception as error:  # noqa: BLE001 -- as above
        return _mistake(delivery, error)
    return asked


async def _run(service: Service, delivery: Delivery, placed: Placed) -> Settled:
    accepted = await accept(
        service,
        placed,
        cause=delivery.id,
        asked_at=delivery.received_at,
        again=everything_anew(service, placed.trigger),
    )
    return joined_or_started(accepted)


def _touched(handled: Sequence[tuple[Delivery, Settled | ConductorError]]) -> set[Branch]:
    return {
        settled.branch
        for _, settled in handled
        if isinstance(settled, Settled) and settled.branch is not None
    }


async def _settle(service: Service, delivery: Delivery, settled: Settled | ConductorError) -> DeliveryStatus:
    if isinstance(settled, Settled):
        await service.inbox.settle(
            delivery.id, settled.status, note=settled.note, run=settled.run, attempt=settled.attempt
        )
        return settled.status
    now = service.world.clock.now()
    if not _may_go_well(settled) or _is_too_old(delivery, now):
        await service.inbox.settle(delivery.id, DeliveryStatus.FAILED, note=settled.message)
        return DeliveryStatus.FAILED
    until = now + wait_before(delivery.tries, settled)
    await service.inbox.postpone(delivery.id, until=until, note=settled.message)
    return DeliveryStatus.WAITING


def _may_go_well(error: ConductorError) -> bool:
    return error.retryable or isinstance(error, RunError | _MistakeError)


def _is_too_old(delivery: Delivery, now: datetime) -> bool:
    return now - delivery.received_at > GIVE_UP_AFTER


class _MistakeError(ConductorError):
    """A mistake of ours in handling one delivery: tried again, and in nobody's way."""


def _mistake(delivery: Delivery, error: Exception) -> ConductorError:
    _log.error("handling delivery %s went wrong", delivery.id, exc_info=error)
    return _MistakeError(f"handling it went wrong: {type(error).__name__}")


def _ignored(why: str) -> Settled:
    return Settled(status=DeliveryStatus.IGNORED, note=why)
