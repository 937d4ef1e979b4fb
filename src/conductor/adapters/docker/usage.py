"""What containers use, as the engine's statistics say (Docker Engine API, `GET /containers/{id}/stats`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import aiodocker

from conductor.adapters.docker.access import Access
from conductor.adapters.docker.connection.client import CANNOT_CONNECT, reaching
from conductor.ports.engine import Place
from conductor.ports.usage import Used

_NANO = 1e9


class Statistics:
    """Remembers how much CPU time each container had used: what it uses now is the difference over time."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._before: dict[str, tuple[float, float]] = {}

    async def usage(self, place: Place) -> Mapping[str, Used]:
        """Measure each workload that runs."""
        found = await self._access.sight.containers(place.namespace)
        running = [
            (workload, container["Id"])
            for workload, several in found.items()
            for container in several
            if container["State"]["Status"] == "running"
        ]
        measured = await asyncio.gather(*(self._measure(container) for _, container in running))
        total: dict[str, Used] = {}
        for (workload, _), used in zip(running, measured, strict=True):
            total[workload] = total.get(workload, Used()) + used
        return total

    async def _measure(self, container: str) -> Used:
        client = await self._access.client()
        with reaching("asking what containers use"):
            try:
                said = await client.ask(
                    "GET", f"containers/{container}/stats", params={"stream": "false", "one-shot": "true"}
                )
            except aiodocker.DockerError as error:
                if error.status == CANNOT_CONNECT:
                    raise
                return Used()  # it has just ended
        return Used(cpu_cores=self._cores(container, said or {}), memory_bytes=_working_set(said or {}))

    def _cores(self, container: str, said: Mapping[str, Any]) -> float:
        spent = float(said.get("cpu_stats", {}).get("cpu_usage", {}).get("total_usage") or 0) / _NANO
        now = time.monotonic()
        before, self._before[container] = self._before.get(container), (spent, now)
        if before is None or now <= before[1]:
            return 0.0
        return max(0.0, spent - before[0]) / (now - before[1])


def _working_set(said: Mapping[str, Any]) -> int:
    """Leave out the file cache that the kernel may drop at once; cgroups of version 1 call it otherwise.

    >>> _working_set({"memory_stats": {"usage": 100, "stats": {"inactive_file": 30}}})
    70
    """
    memory = said.get("memory_stats") or {}
    stats = memory.get("stats") or {}
    cache = stats.get("total_inactive_file", stats.get("inactive_file", 0))
    return max(0, int(memory.get("usage") or 0) - int(cache or 0))
