"""What became of a delivery, before it is written down."""

from __future__ import annotations

from dataclasses import dataclass

from conductor.domain.delivery import DeliveryStatus
from conductor.operations.supersede import Branch, branch_of
from conductor.ports.queue import Accepted


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """How a delivery is settled. `branch` is the one that has a new run, to be looked at for older ones."""

    status: DeliveryStatus
    note: str = ""
    run: str = ""
    attempt: int = 0
    branch: Branch | None = None


def joined_or_started(accepted: Accepted) -> Settled:
    """Say that there is a run, new or joined."""
    run = accepted.run
    return Settled(
        status=DeliveryStatus.STARTED,
        note="" if accepted.is_new else "joined a run that is there already",
        run=run.id,
        attempt=run.attempt,
        branch=branch_of(run),
    )
