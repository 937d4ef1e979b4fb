"""Who asks, what they may, and what is asked: the same for every tool, whichever way the request came."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from conductor.domain.access import Role
from conductor.domain.run import Run
from conductor.errors import RefusedError
from conductor.mcp.starting import Starting
from conductor.operations import access
from conductor.operations.following import Following
from conductor.ports.access import Access
from conductor.ports.issues import Tracking
from conductor.ports.world import World

Progress = Callable[[float, str], Awaitable[None]]
"""Told how far it has come and what happened; does nothing where nobody listens."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Whoever asks. `repositories` empty: all of them."""

    principal: str
    role: Role = Role.ADMIN
    repositories: frozenset[str] = field(default_factory=frozenset)

    def reaches(self, repository: str) -> bool:
        """Tell whether a repository is there, as far as they can tell (names are the same in any case)."""
        return not self.repositories or repository.lower() in {one.lower() for one in self.repositories}


@dataclass(frozen=True, kw_only=True)
class Site:
    """What is asked: one world, and how runs begin in it."""

    world: World
    starting: Starting
    following: Following
    tracking: Tracking | None = None
    access: Access | None = None
    """Where deeds are recorded; None at a desk of one's own."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One request."""

    caller: Caller
    site: Site
    progress: Progress

    @property
    def world(self) -> World:
        """What runs see."""
        return self.site.world

    def needs(self, role: Role) -> None:
        """Refuse whoever has a smaller role."""
        if not self.caller.role.includes(role):
            raise RefusedError(
                f"this needs the role {role}, and {self.caller.principal} has {self.caller.role}",
                remedy="Ask an operator for a token with that role; reading tools work with this one.",
            )

    async def did(self, what: str, subject: str = "", *, repository: str = "", detail: str = "") -> None:
        """Record a deed, as REST does."""
        if self.site.access is not None:
            await access.record(
                self.site.access,
                at=self.world.clock.now(),
                principal=self.caller.principal,
                what=what,
                subject=subject,
                repository=repository,
                detail=f"{detail} (mcp)".strip(),
            )

    async def did_to(self, what: str, run: Run, *, detail: str = "") -> None:
        """Record a deed that was done to a run."""
        await self.did(what, run.id, repository=run.repository, detail=detail)
