"""One who watches a namespace: what it saw last, and what wakes it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

LIVENESS = timedelta(seconds=3)
"""So long at most between two looks, for the events that got lost."""

Container = Mapping[str, Any]
"""The answer to `GET /containers/{id}/json`."""


@dataclass(eq=False, slots=True)
class Watcher:
    """One who watches a namespace: woken by what may have changed."""

    woken: asyncio.Event = field(default_factory=asyncio.Event)
    stale: bool = True
    """Whether the containers have to be inspected; else what is known of them counts, and their health."""
    containers: dict[str, Sequence[Container]] = field(default_factory=dict)
    """What was seen last, by workload."""
    ends: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """Who waits for the end of a life."""

    async def woken_or_bored(self) -> None:
        """Return when something may have changed, or after `LIVENESS`."""
        try:
            async with asyncio.timeout(LIVENESS.total_seconds()):
                await self.woken.wait()
        except TimeoutError:
            self.stale = True

    def take(self, seen: Container) -> None:
        """Put a fresh inspection in the place of the one before, and wake."""
        for workload, several in self.containers.items():
            self.containers[workload] = [seen if one["Id"] == seen["Id"] else one for one in several]
        self.woken.set()

    async def leave(self) -> None:
        """Wait for nothing any more."""
        for task in self.ends.values():
            task.cancel()
        await asyncio.gather(*self.ends.values(), return_exceptions=True)
