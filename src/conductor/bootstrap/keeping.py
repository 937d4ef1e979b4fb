"""What settings say of keeping and of prices, as values of the domain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conductor.domain.cost import Tariff, quantity
from conductor.domain.retention import Retention

if TYPE_CHECKING:
    from conductor.settings import Settings


def retention_of(settings: Settings) -> Retention:
    """Say how long and how much is kept."""
    return Retention(keep_for=settings.keep_evidence_for, most_bytes=settings.keep_evidence_bytes)


def tariff_of(settings: Settings) -> Tariff:
    """Say what things cost; what a container counts as that asks for nothing is what the cluster reserves for it."""
    tariff = Tariff(
        cpu_hour=settings.price_cpu_hour, gib_hour=settings.price_gib_hour, currency=settings.currency
    )
    reserved = {name: quantity(size) for name, size in settings.requests.items()}
    return replace(
        tariff,
        unsaid_cpus=reserved.get("cpu", tariff.unsaid_cpus),
        unsaid_memory_bytes=int(reserved.get("memory", tariff.unsaid_memory_bytes)),
    )
