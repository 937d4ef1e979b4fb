"""Issues to test with: written here, claimed and shown here, and away when asked to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from conductor.domain.claim import Claim, Issue
from conductor.errors import ConductorError, NotFoundError


@dataclass
class FakeIssues:
    """Law: as `ports.issues`. `shown` is what each issue says of who works on it; `befall` has calls go wrong."""

    name: str = "fake"
    issues: dict[tuple[str, int], Issue] = field(default_factory=dict)
    shown: dict[tuple[str, int], Claim] = field(default_factory=dict)
    locations: dict[str, str] = field(default_factory=dict)
    _coming: dict[str, list[ConductorError]] = field(default_factory=dict)

    def add(self, repository: str, number: int, title: str, *, labels: Sequence[str] = ()) -> Issue:
        """Write an issue, or write it anew."""
        made = Issue(repository=repository, number=number, title=title, labels=tuple(labels))
        self.issues[repository.lower(), number] = made
        return made

    def close(self, repository: str, number: int) -> None:
        """Close an issue, as a person does there."""
        key = (repository.lower(), number)
        self.issues[key] = replace(self.issues[key], is_open=False)

    def befall(self, verb: str, *errors: ConductorError) -> None:
        """Let the next calls of a verb go wrong, one after the other."""
        self._coming.setdefault(verb, []).extend(errors)

    async def list_issues(
        self, repository: str, *, labels: Sequence[str] = (), limit: int = 50
    ) -> Sequence[Issue]:
        """Return open ones that bear all of the labels, oldest first."""
        self._suffer("list_issues")
        mine = [one for (name, _), one in sorted(self.issues.items()) if name == repository.lower()]
        if not mine:
            raise NotFoundError(f"there is no repository {repository}")
        return [one for one in mine if one.is_open and set(labels) <= set(one.labels)][:limit]

    async def location(self, repository: str) -> str:
        """Return an address: every repository has one."""
        return self.locations.get(repository, f"/srv/{repository}")

    async def find_issue(self, repository: str, number: int) -> Issue:
        """Return one."""
        self._suffer("find_issue")
        found = self.issues.get((repository.lower(), number))
        if found is None:
            raise NotFoundError(f"there is no issue {repository}#{number}")
        return found

    async def show_claim(self, claim: Claim) -> Claim:
        """Show who works on it."""
        self._suffer("show_claim")
        self.shown[claim.repository.lower(), claim.issue] = claim
        return replace(claim, marks={**claim.marks, "comment": f"comment-{claim.issue}"})

    async def hide_claim(self, claim: Claim) -> None:
        """Show that nobody works on it, where it is this claim that is shown."""
        self._suffer("hide_claim")
        key = (claim.repository.lower(), claim.issue)
        shown = self.shown.get(key)
        if shown and (shown.principal, shown.claimed_at) == (claim.principal, claim.claimed_at):
            del self.shown[key]

    def _suffer(self, verb: str) -> None:
        if coming := self._coming.get(verb):
            raise coming.pop(0)
