"""The queue for people: where each waiting run stands, what it waits for, when it may begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from conductor.domain import queue
from conductor.domain.queue import Entry, Place
from conductor.ports.service import Service


async def places(service: Service, entries: Sequence[Entry]) -> Sequence[Place]:
    """Tell of each waiting entry where it stands, in the order in which they will be admitted as far as one can tell."""
    draining = service.policy.limits.draining or await service.queue.is_draining()
    limits = replace(service.policy.limits, draining=draining)
    repositories = {entry.repository for entry in entries}
    durations = {name: await service.queue.durations(name) for name in repositories}
    stacks = await service.world.engine.namespaces() if limits.namespaces is not None else ()
    return queue.places(entries, limits, durations, now=service.world.clock.now(), stacks=stacks)
