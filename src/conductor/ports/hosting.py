"""Hosting: the forge as a service, the half of it that is no git. What it sends, what it knows of a commit, where verdicts are told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from conductor.domain.delivery import (
    Announcement,
    CommandGiven,
    Delivery,
    Order,
    Placed,
    Tag,
    TagPushed,
    Wish,
)
from conductor.domain.run import Run
from conductor.domain.telling import Telling


class Hosting(Protocol):
    """Law: what came from a repository or a person is data. Every verb bears repetition; what is made there is looked for first.

    Raises UnreachableError (retryable; with the time to wait where the forge names one), NotFoundError, RefusedError where rights lack.
    """

    name: str

    def verify(self, body: bytes, signature: str) -> bool:
        """Tell whether the forge signed it, in constant time."""
        ...

    def read(self, delivery: Delivery) -> Wish:
        """Tell what is wished for. Pure; unknown fields and events are `Nothing`."""
        ...

    async def place(self, pushed: TagPushed) -> Placed:
        """Find branch, issue and pull request of a tagged commit, by the rules of DESIGN.md, section 6."""
        ...

    async def place_command(self, given: CommandGiven) -> Placed:
        """Find the head commit of a pull request, or of the branch that belongs to an issue. NotFoundError where there is none."""
        ...

    async def tags(self, repository: str, patterns: Sequence[str]) -> Sequence[Tag]:
        """List the trigger tags as they stand now."""
        ...

    async def lost(self, *, since: datetime) -> Sequence[Delivery]:
        """Return deliveries that the forge could not bring here since then, payloads and all."""
        ...

    async def order(self, repository: str, one: Placed | Run, other: Run) -> Order:
        """Tell whether `one` is newer than `other`: the forge's present target of tag or branch wins, then ancestry."""
        ...

    async def repositories(self) -> Sequence[str]:
        """Name the repositories that it gives access to."""
        ...

    async def may_write(self, repository: str, login: str) -> bool:
        """Tell whether that person has write permission."""
        ...

    async def answer(self, given: CommandGiven, text: str, *, agreed: bool) -> None:
        """Tell who gave a command what came of it, once: a reaction where it went well, a comment where it did not."""
        ...

    async def announce(self, announcement: Announcement, telling: Telling) -> Announcement:
        """Tell how a run stands, or how it ended: edit what `marks` name, look for one's own mark before anything is made.

        Returns the announcement with its marks, `told` (the telling's fingerprint) and `final`; one that says the same as was told last
        changes nothing there.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...
