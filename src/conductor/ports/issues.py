"""Issues of a forge: read, and marked as being worked on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from conductor.domain.claim import Claim, Issue
from conductor.ports.clock import Clock
from conductor.ports.environments import Claims

CLAIM_FOR = timedelta(hours=8)


class Issues(Protocol):
    """Law: every verb bears repetition; what is made there is looked for first, and edited in place.

    Raises UnreachableError (retryable), NotFoundError, RefusedError where rights lack.
    """

    name: str
    """The forge's, as `Hosting.name`."""

    async def list_issues(
        self, repository: str, *, labels: Sequence[str] = (), limit: int = 50
    ) -> Sequence[Issue]:
        """Return open issues that bear all of the labels, oldest first; pull requests are none."""
        ...

    async def find_issue(self, repository: str, number: int) -> Issue:
        """Return one, open or closed."""
        ...

    async def location(self, repository: str) -> str:
        """Return the address or folder that git finds the repository at. NotFoundError where there is none of that name."""
        ...

    async def show_claim(self, claim: Claim) -> Claim:
        """Show on the issue who works on it, once; returned with its marks."""
        ...

    async def hide_claim(self, claim: Claim) -> None:
        """Show that nobody works on it any more. Gone already: nothing happens."""
        ...


@runtime_checkable
class OwnIssues(Issues, Protocol):
    """Issues of a forge that has no other way in: they are written here."""

    async def create_issue(
        self, repository: str, *, title: str, body: str = "", labels: Sequence[str] = (), author: str = ""
    ) -> Issue:
        """Open one under the next number."""
        ...

    async def close_issue(self, repository: str, number: int) -> Issue:
        """Close it. Closed already: nothing happens."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Tracking:
    """Everything that is needed to work on issues: who has which, the forges by name, and the time."""

    claims: Claims
    issues: Mapping[str, Issues]
    clock: Clock
    claim_for: timedelta = CLAIM_FOR
    """How long a claim lasts where nobody says otherwise."""
    allowed: tuple[str, ...] = ("**",)
    """Globs of repositories; a server's are those of its allow-list."""
