"""The queue's memory: which runs wait and which are active, over all replicas."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from conductor.domain.queue import Entry, Limits
from conductor.domain.run import Run


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """What a request came to: a new run or attempt, or the one that is there."""

    run: Run
    is_new: bool


class Queue(Protocol):
    """Law: every verb is one transaction; two replicas never admit beyond what one decision allowed."""

    async def accept(self, run: Run, *, cause: str, again: Callable[[Run], Run] | None = None) -> Accepted:
        """Take a run in under its repository and commit, and put it into the queue: all of it or nothing.

        `cause` is what asked (a delivery's id, an idempotency key): the same cause again returns what it got the first time. A commit
        whose latest attempt has not ended is joined. One whose latest attempt has ended gets a new attempt, `again(latest)`; where
        `again` is None it is joined too (the reconciler starts only what has no run). Runs without a commit never meet another.
        """
        ...

    async def put(self, run: Run) -> None:
        """Put an attempt that is on record already into the queue; one that is there stays where it is."""
        ...

    async def entries(self) -> Sequence[Entry]:
        """Return what waits and what is active, in the order of arrival. What has ended is gone from here."""
        ...

    async def admit(
        self,
        decide: Callable[[Sequence[Entry], Limits], Sequence[Entry]],
        *,
        executor: str,
        at: datetime,
        limits: Limits,
    ) -> Sequence[Entry]:
        """Let `decide` choose from all entries under a lock of the database, and mark the chosen ones active. Returns them as marked.

        `limits.draining` is also set where `drain(True)` was asked for on any replica.
        """
        ...

    async def leave(self, run: str, attempt: int) -> None:
        """Take an entry out: its run has ended."""
        ...

    async def forget(self, *, before: datetime) -> int:
        """Remove what asked for runs that ended before that time, and the turns of repositories without a later run; count what asked."""
        ...

    async def drain(self, on: bool) -> None:  # noqa: FBT001 -- a switch
        """Stop, or go on, admitting: for all replicas, over restarts."""
        ...

    async def stood_before(self, repository: str, tagged: Collection[str]) -> frozenset[str]:
        """Return which commits had a tag, and no run, when it was asked for the first time; `tagged` have a tag now."""
        ...

    async def is_draining(self) -> bool:
        """Tell whether nothing new is admitted."""
        ...

    async def durations(self, repository: str, *, limit: int = 20) -> Sequence[float]:
        """Return how many seconds the latest ended runs of a repository took from start to end: for estimates."""
        ...
