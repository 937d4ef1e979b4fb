"""Which runs have lost their process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conductor.ports.store import RunRow


def interrupted(rows: Iterable[RunRow]) -> frozenset[str]:
    """Return the ids of those that were at work and have nobody at it any more.

    What knows that brings durable execution with it, which takes a second to import: it is asked only where a run is said to be at work.
    """
    from conductor.domain.run import Status

    at_work = [row for row in rows if row.status is Status.RUNNING]
    if not at_work:
        return frozenset()
    from conductor.operations.start_run import is_interrupted

    return frozenset(row.run.id for row in at_work if is_interrupted(row))
