"""Which runs have lost their process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from conductor.domain.run import Status
from conductor.ports.store import RunRow

if TYPE_CHECKING:
    from conductor.settings import Settings


async def interrupted(rows: Iterable[RunRow], *, settings: Settings) -> frozenset[str]:
    """Return the ids of those that were at work and have nobody at it any more.

    What knows that brings durable execution with it, which takes a second to import: it is asked only where a run is said to be at work.
    """
    at_work = [row for row in rows if row.status is Status.RUNNING]
    if not at_work:
        return frozenset()
    from conductor.durable.executors import executors_of

    executors = executors_of(settings.state, settings.database_url)
    try:
        living = await executors.living([row.executor for row in at_work])
    finally:
        executors.leave()
    return frozenset(row.run.id for row in at_work if row.executor not in living)
