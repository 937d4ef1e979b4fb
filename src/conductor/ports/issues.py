"""Issues of a forge: read, and marked as being worked on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from conductor.domain.claim import Claim, Issue


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

    async def show_claim(self, claim: Claim) -> Claim:
        """Show on the issue who works on it, once; returned with its marks."""
        ...

    async def hide_claim(self, claim: Claim) -> None:
        """Show that nobody works on it any more. Gone already: nothing happens."""
        ...
