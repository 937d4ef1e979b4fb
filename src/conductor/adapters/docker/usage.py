"""What containers use, as the engine's statistics say (Docker Engine API, `GET /containers/{id}/stats`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import aiodocker

from conductor.adapters.docker import cgroups
from conductor.adapters.docker.access import Access
from conductor.adapters.docker.connection.client import CANNOT_CONNECT, reaching
from conductor.adapters.docker.watching.watcher import Container
from conductor.ports.engine import Place
from conductor.ports.usage import Used

_NANO = 1e9


class Statistics:
    """Remembers how much CPU time each container had used: what it uses now is the difference over time."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._before: dict[str, tuple[float, float]] = {}

    async def usage(self, place: Place) -> Mapping[str, Used]:
        """Measure each workload that runs. Whoever watches has seen the containers: an engine that is busy is not asked again."""
        sight = self._access.sight
        found = sight.all_known(place.namespace) or await sight.containers(place.namespace)
        running = [
            (workload, container)
            for workload, several in found.items()
            for container in several
            if container["State"]["Status"] == "running"
        ]
        measured = await asyncio.gather(*(self._measure(container) for _, container in running))
        total: dict[str, Used] = {}
        for (workload, _), used in zip(running, measured, strict=True):
            if used is not None:
                total[workload] = total.get(workload, Used()) + used
        return total

    async def _measure(self, container: Container) -> Used | None:
        """Ask the kernel, where the engine is this machine's: Podman 4.3 without cgroups of version 2 answers nothing. Else the engine."""
        spent = self._seen_here(container) or await self._asked(container["Id"])
        if spent is None:
            return None
        seconds, memory_bytes = spent
        return Used(cpu_cores=self._cores(container["Id"], seconds), memory_bytes=memory_bytes)

    def _seen_here(self, container: Container) -> tuple[float, int] | None:
        pid = int(container["State"].get("Pid") or 0)
        return cgroups.read(pid, container["Id"]) if pid and self._access.facts.local else None

    async def _asked(self, container: str) -> tuple[float, int] | None:
        client = await self._access.client()
        with reaching("asking what containers use"):
            try:
                said = await client.ask(
                    "GET", f"containers/{container}/stats", params={"stream": "false", "one-shot": "true"}
                )
            except aiodocker.DockerError as error:
                if error.status == CANNOT_CONNECT:
                    raise
                return None  # it has just ended
        return _read(said) if isinstance(said, dict) else None

    def _cores(self, container: str, spent: float) -> float:
        now = time.monotonic()
        before, self._before[container] = self._before.get(container), (spent, now)
        if before is None or now <= before[1]:
            return 0.0
        return max(0.0, spent - before[0]) / (now - before[1])


def _read(said: Mapping[str, Any]) -> tuple[float, int]:
    spent = float(said.get("cpu_stats", {}).get("cpu_usage", {}).get("total_usage") or 0)
    return spent / _NANO, _working_set(said)


def _working_set(said: Mapping[str, Any]) -> int:
    """Leave out the file cache that the kernel may drop at once; cgroups of version 1 call it otherwise.

    >>> _working_set({"memory_stats": {"usage": 100, "stats": {"inactive_file": 30}}})
    70
    """
    memory = said.get("memory_stats") or {}
    stats = memory.get("stats") or {}
    cache = stats.get("total_inactive_file", stats.get("inactive_file", 0))
    return max(0, int(memory.get("usage") or 0) - int(cache or 0))
