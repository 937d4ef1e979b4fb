"""How a repository is opened: one scratch git for each piece of work, so many at a time, and another user's only where that is trusted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from conductor.adapters.folder.git import Git, GitError, Token, scratch_git, trusted_by_user
from conductor.adapters.folder.locations import Location
from conductor.adapters.folder.problems import owned_by_another

TIMEOUT = timedelta(minutes=10)
AT_ONCE = 32
"""So many repositories are read or cloned at the same time; others wait their turn: each takes processes and memory."""


TokenFor = Callable[[str], Awaitable[str | None]]
"""Gives what opens the repository at an address just now; None where it knows nothing of it."""


class Opener:
    """Gives a git for a place. `token_for` opens private repositories, else `token` those of its host; `timeout` bounds each call."""

    def __init__(
        self, *, token: Token | None = None, token_for: TokenFor | None = None, timeout: timedelta = TIMEOUT
    ) -> None:
        self._token = token
        self._token_for = token_for
        self._timeout = timeout
        self._room = asyncio.Semaphore(AT_ONCE)
        self._own: set[Path] = set()
        """Folders with which git had no quarrel. Where one changes its owner later, git itself refuses it."""

    @asynccontextmanager
    async def git(self, place: Location, *, beside: Path | None = None) -> AsyncIterator[Git]:
        """Give one, with a scratch home `beside` where the work's result goes. UsageError for a folder of another user."""
        token = None if place.folder else await self._token_of(place)
        trust = await self._is_trusted(place)
        scratch = scratch_git(timeout=self._timeout, token=token, beside=beside, trust=trust)
        async with self._room, scratch as git:
            yield git

    async def _token_of(self, place: Location) -> Token | None:
        value = await self._token_for(place.url) if self._token_for else None
        return Token(urlsplit(place.url).netloc, value) if value else self._token

    async def _is_trusted(self, place: Location) -> bool:
        """Tell whether the user trusts a repository of another owner; raises `UsageError` where they have not said so."""
        if place.folder is None or place.folder in self._own:
            return False
        async with scratch_git(timeout=self._timeout) as git:
            try:
                await git("rev-parse", "--git-dir", at=place.folder)
            except GitError as error:
                if "dubious ownership" not in error.said:
                    return False
                around = {"*", *map(str, (place.folder, *place.folder.parents))}
                if around.isdisjoint(await trusted_by_user(git)):
                    raise owned_by_another(place.text) from error
                return True
        self._own.add(place.folder)
        return False
