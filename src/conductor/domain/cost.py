"""Cost: what a run and a kept stack hold of a platform, over time; pure.

It is based on what is reserved, not on what is used: for each container its reservation, else its limit, else what the tariff takes for a
container that says neither; services for as long as their namespace stood and was awake, suites for as long as they ran. Builds, volumes,
the cluster itself and what Conductor adds to a pod are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from conductor.domain.blueprint import Blueprint
from conductor.domain.stack import Service

GIB = 1024**3
HOUR_SECONDS = 3600.0
_UNITS = {
    "": 1.0,
    "m": 0.001,
    **{unit: 1000.0**power for unit, power in {"k": 1, "K": 1, "M": 2, "G": 3, "T": 4}.items()},
    **{f"{unit}i": 1024.0**power for unit, power in {"K": 1, "M": 2, "G": 3, "T": 4}.items()},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tariff:
    """Prices; None has none. `unsaid_*` is what a container counts as that neither reserves nor limits."""

    cpu_hour: float | None = None
    gib_hour: float | None = None
    currency: str = ""
    unsaid_cpus: float = 0.05
    unsaid_memory_bytes: int = 64 * 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What is reserved at a time."""

    cpus: float = 0.0
    memory_bytes: int = 0

    def __add__(self, other: Held) -> Held:
        """Put both together."""
        return Held(cpus=self.cpus + other.cpus, memory_bytes=self.memory_bytes + other.memory_bytes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Amounts, and what they come to by the tariff; without prices only the amounts."""

    cpu_hours: float = 0.0
    gib_hours: float = 0.0
    seconds: float = 0.0
    """How long the stack stood awake."""
    price: float | None = None
    currency: str = ""


def quantity(text: str) -> float:
    """Read an amount as Kubernetes writes it.

    >>> quantity("50m"), quantity("64Mi"), quantity("2")
    (0.05, 67108864.0, 2.0)
    """
    number = text.rstrip("mkKMGTi")
    return float(number) * _UNITS[text[len(number) :]]


def held_by(service: Service, tariff: Tariff) -> Held:
    """Say what a service holds, with all its replicas."""
    asked = service.resources
    cpus = _first(asked.reserved_cpus, asked.cpus, tariff.unsaid_cpus)
    memory = _first(asked.reserved_memory_bytes, asked.memory_bytes, tariff.unsaid_memory_bytes)
    replicas = max(service.replicas, 0)
    return Held(cpus=cpus * replicas, memory_bytes=int(memory) * replicas)


def held_by_all(services: Iterable[Service], tariff: Tariff) -> Held:
    """Add up what services hold together."""
    return sum((held_by(service, tariff) for service in services), Held())


def cost_of_stack(blueprint: Blueprint, awake: timedelta, tariff: Tariff) -> Cost:
    """Work out what a stack comes to that stood awake for so long."""
    return _priced([(held_by_all(blueprint.stack.services, tariff), awake)], awake, tariff)


def cost_of_run(
    blueprint: Blueprint, stood: timedelta, tariff: Tariff, *, suites: Mapping[str, timedelta]
) -> Cost:
    """Work out what a run comes to: its services while the namespace stood, its suites while they ran."""
    jobs = [
        (held_by(job.workload, tariff), suites[job.suite]) for job in blueprint.jobs if job.suite in suites
    ]
    return _priced([(held_by_all(blueprint.stack.services, tariff), stood), *jobs], stood, tariff)


def awake_for(since: datetime, until: datetime, changes: Iterable[tuple[datetime, bool]]) -> timedelta:
    """Add up how long it was awake between two times. `changes` say when it fell asleep (True) and woke (False); it begins awake.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    >>> hour = timedelta(hours=1)
    >>> awake_for(noon, noon + 5 * hour, [(noon + hour, True), (noon + 4 * hour, False)]) == 2 * hour
    True
    """
    total, from_when, asleep = timedelta(0), since, False
    for when, falls_asleep in sorted(changes):
        at = min(max(when, since), until)
        total += timedelta(0) if asleep else at - from_when
        from_when, asleep = at, falls_asleep
    return total if asleep else total + max(until - from_when, timedelta(0))


def _priced(parts: Iterable[tuple[Held, timedelta]], stood: timedelta, tariff: Tariff) -> Cost:
    each = [(held, max(span.total_seconds(), 0.0) / HOUR_SECONDS) for held, span in parts]
    cpu_hours = sum(held.cpus * hours for held, hours in each)
    gib_hours = sum(held.memory_bytes / GIB * hours for held, hours in each)
    return Cost(
        cpu_hours=cpu_hours,
        gib_hours=gib_hours,
        seconds=max(stood.total_seconds(), 0.0),
        price=_price(cpu_hours, gib_hours, tariff),
        currency=tariff.currency,
    )


def _price(cpu_hours: float, gib_hours: float, tariff: Tariff) -> float | None:
    if tariff.cpu_hour is None and tariff.gib_hour is None:
        return None
    return cpu_hours * (tariff.cpu_hour or 0.0) + gib_hours * (tariff.gib_hour or 0.0)


def _first(*amounts: float | None) -> float:
    return next((amount for amount in amounts if amount is not None), 0.0)
