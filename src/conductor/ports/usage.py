"""Usage: what the workloads of a stack take of their machine, where the engine can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from conductor.ports.engine import Place


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """What is used at a time."""

    cpu_cores: float = 0.0
    """Cores that were busy on average since the measurement before; 0 at the first."""
    memory_bytes: int = 0
    """Memory that cannot be reclaimed (the working set), as Kubernetes counts it."""

    def __add__(self, other: Used) -> Used:
        """Put both together."""
        return Used(
            cpu_cores=self.cpu_cores + other.cpu_cores, memory_bytes=self.memory_bytes + other.memory_bytes
        )


@runtime_checkable
class Meter(Protocol):
    """Law: measuring changes nothing, and takes no longer than a look at the states does."""

    async def usage(self, place: Place) -> Mapping[str, Used]:
        """Return what each workload uses now, by its name. Empty where nothing can be told; `UnreachableError` as for every verb."""
        ...
