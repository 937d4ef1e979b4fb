"""Take a run in: under its repository and commit, into the queue, and with the announcement that will tell of it.

Law: every part bears repetition under the same cause, so that what was cut off half-way is done again whole and starts nothing twice.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from conductor.domain.delivery import Announcement, Placed
from conductor.domain.names import ALPHABET, run_id
from conductor.domain.run import Rerun, Run, Stage
from conductor.domain.trigger import Trigger
from conductor.ports.queue import Accepted
from conductor.ports.service import Service

Again = Callable[[Run], Run]
"""Makes the next attempt out of the latest one, which has ended."""

_ID_LENGTH = 6


async def accept(
    service: Service,
    placed: Placed,
    *,
    cause: str,
    asked_at: datetime | None = None,
    again: Again | None = None,
    shape: Again = lambda run: run,
) -> Accepted:
    """Take it in. Where the commit's run has ended, `again` makes another attempt; without it that run is joined.

    `asked_at` is when it was asked for: a run that was requested later than that is the answer, and not asked for again. `shape` sets what
    was asked for beside the commit.
    """
    run = shape(run_of(service, placed))
    accepted = await _accept(service, run, cause=cause, asked_at=asked_at, again=again)
    await _open_announcement(service, accepted.run, placed.trigger)
    return accepted


def run_of(service: Service, placed: Placed) -> Run:
    """Make the run that is asked for."""
    suffix = "".join(randomness.choice(ALPHABET) for _ in range(_ID_LENGTH))
    return Run(
        id=run_id(placed.repository, suffix),
        repository=placed.repository,
        source=placed.source,
        principal=placed.trigger.sender or str(placed.trigger.cause),
        requested_at=service.world.clock.now(),
        trigger=placed.trigger,
    )


def everything_anew(service: Service, trigger: Trigger) -> Again:
    """Make attempts that begin at the builds, at the same commit."""
    now = service.world.clock.now()

    def again(latest: Run) -> Run:
        return replace(
            latest,
            attempt=latest.attempt + 1,
            principal=trigger.sender or latest.principal,
            requested_at=now,
            trigger=_still_about(latest, trigger),
            rerun=Rerun(of=latest.attempt, stage=Stage.BUILD),
        )

    return again


def as_formed(formed: Run, *, otherwise: Again) -> Again:
    """Make the attempt that was looked through beforehand; `otherwise` where another one came first."""
    return lambda latest: formed if latest.attempt + 1 == formed.attempt else otherwise(latest)


class _NotAgainError(Exception):
    """The latest attempt is younger than the wish: it is the answer. Ends the transaction without a trace."""


async def _accept(
    service: Service, run: Run, *, cause: str, asked_at: datetime | None, again: Again | None
) -> Accepted:
    def unless_answered(latest: Run) -> Run:
        if again is None or (asked_at is not None and latest.requested_at > asked_at):
            raise _NotAgainError
        return again(latest)

    if again is not None:
        try:
            return await service.queue.accept(run, cause=cause, again=unless_answered)
        except _NotAgainError:
            pass
    return await service.queue.accept(run, cause=cause)


def _still_about(latest: Run, trigger: Trigger) -> Trigger:
    """Keep the issue and pull request that are known already where a button names none."""
    known = latest.trigger or Trigger()
    return replace(
        trigger,
        tag=trigger.tag or known.tag,
        issue=trigger.issue or known.issue,
        pull_request=trigger.pull_request or known.pull_request,
    )


async def _open_announcement(service: Service, run: Run, asked: Trigger) -> None:
    """Have it told on its forge. One that is open already is left as it is."""
    hosting = (run.trigger.hosting if run.trigger else "") or asked.hosting
    if hosting:
        await service.outbox.open(
            Announcement(run=run.id, attempt=run.first_attempt.attempt, hosting=hosting)
        )
