"""What a kept stack has come to until now: from the making of its namespace, less the time that it slept."""

from __future__ import annotations

from collections.abc import AsyncIterator

from conductor.domain.cost import Cost, awake_for, cost_of_stack
from conductor.domain.event import Event, Kind
from conductor.domain.lease import Lease, NamespaceStatus
from conductor.domain.names import attempt_of
from conductor.ports.world import World
from conductor.steps.place import find_blueprint


async def cost_of_kept(world: World, lease: Lease | None) -> Cost | None:
    """Reckon it from the lease and the run's events; None where nothing is known of what the stack reserves."""
    row = await world.store.find_run(lease.run, attempt=_attempt(lease)) if lease else None
    blueprint = await find_blueprint(row.run) if row else None
    if lease is None or blueprint is None:
        return None
    changes = [
        (event.at, event.data.get("status") == NamespaceStatus.SLEEPING)
        async for event in _changes(world, lease)
    ]
    awake = awake_for(lease.created_at, world.clock.now(), changes)
    return cost_of_stack(blueprint, awake, world.tariff)


async def tell_turn(world: World, lease: Lease) -> None:
    """Tell that a stack fell asleep or woke: what it costs goes by that."""
    now = world.clock.now()
    ends = lease.expires_at.isoformat() if lease.expires_at else None
    told = Event(
        run=lease.run,
        key=f"{_attempt(lease)}/{Kind.LEASE_CHANGED}/{lease.namespace}/{lease.status}/{now.isoformat()}",
        at=now,
        kind=Kind.LEASE_CHANGED,
        subject=lease.namespace,
        data={"status": lease.status, "expires_at": ends},
    )
    await world.store.append(told)


async def _changes(world: World, lease: Lease) -> AsyncIterator[Event]:
    after = 0
    while batch := await world.store.events(lease.run, after=after):
        after = batch[-1].seq
        for event in batch:
            if event.kind is Kind.LEASE_CHANGED and event.subject == lease.namespace:
                yield event


def _attempt(lease: Lease) -> int:
    return attempt_of(lease.namespace, lease.run)
