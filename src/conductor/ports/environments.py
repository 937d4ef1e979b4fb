"""Environments and claims as they are kept: what a database must hold on to, so that replicas and agents do not get in each other's way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from conductor.domain.claim import Claim
from conductor.domain.environment import Environment, EnvironmentState, EnvironmentStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentRow:
    """An environment as lists show it. `executor` is the process that provisions it, or did."""

    environment: Environment
    state: EnvironmentState
    executor: str = ""


class Environments(Protocol):
    """Law: of those that are not over, a key (`Environment.key`) is there once, whoever asks at the same time."""

    async def request(self, environment: Environment) -> EnvironmentRow:
        """Record it as REQUESTED, or return the one that has its key and is not over. One with the same id changes nothing."""
        ...

    async def find(self, name: str) -> EnvironmentRow | None:
        """Return it by its id, or an unambiguous beginning of it. UsageError where it could be several."""
        ...

    async def list_environments(
        self,
        *,
        repositories: Collection[str] | None = None,
        statuses: Collection[EnvironmentStatus] | None = None,
        limit: int = 100,
    ) -> Sequence[EnvironmentRow]:
        """Return them, latest first; of these repositories, in any case."""
        ...

    async def set_state(
        self, environment: Environment, state: EnvironmentState, *, executor: str = ""
    ) -> None:
        """Record where it stands; an ending frees its key. What is over stays over: a late write changes nothing.

        An empty `executor` leaves the one that is recorded.
        """
        ...


class Claims(Protocol):
    """Law: of two that claim an issue at the same time exactly one gets it, on every database."""

    async def claim(self, claim: Claim) -> Claim:
        """Take the issue, or return the claim that stands: of another who was first, or one's own, renewed.

        One that is over at `claim.claimed_at` gives way. The caller compares `principal`.
        """
        ...

    async def update(self, claim: Claim) -> None:
        """Record new marks, environment or end of a claim that its principal still holds; of one that is lost: nothing."""
        ...

    async def release(
        self,
        repository: str,
        issue: int,
        *,
        principal: str | None = None,
        over_before: datetime | None = None,
    ) -> Claim | None:
        """Free the issue and return the claim that was; None where there is none, or where it is another principal's.

        With `over_before` a claim that is not over by then stays: somebody was faster and took it, or renewed it.
        """
        ...

    async def find(self, repository: str, issue: int) -> Claim | None:
        """Return the claim on an issue, over or not."""
        ...

    async def claims(
        self, *, repositories: Collection[str] | None = None, over_before: datetime | None = None
    ) -> Sequence[Claim]:
        """Return claims, first to end first; with `over_before` those that are over by then."""
        ...
