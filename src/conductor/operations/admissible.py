"""What a server may start by itself: allowed repositories, and the tags that the default branch's file names."""

from __future__ import annotations

import asyncio
import re

from conductor.domain.globs import matches
from conductor.domain.plan import DEFAULT_TAGS, PLAN_FILE
from conductor.domain.run import Source
from conductor.errors import ConfigurationError
from conductor.plan.read import read_trusted_plan
from conductor.ports.forge import Forge
from conductor.ports.service import Policy


def is_allowed(policy: Policy, repository: str) -> bool:
    """Tell whether a repository is on the list; names are the same in any case, as GitHub's are."""
    return any(matches(pattern.lower(), repository.lower()) for pattern in policy.repositories)


class Triggers:
    """The trigger tags of repositories, each read once: as long as a batch lasts."""

    def __init__(self, forge: Forge) -> None:
        self._forge = forge
        self._read: dict[str, asyncio.Task[tuple[str, ...]]] = {}

    async def include(self, source: Source, tag: str) -> bool:
        """Tell whether that tag starts a run there. A file that cannot be read asks for the default ones: the run says what is wrong."""
        reading = self._read.get(source.location)
        if reading is None:
            reading = asyncio.create_task(self._patterns(source))
            self._read[source.location] = reading
        return any(_is_meant(pattern, tag) for pattern in await asyncio.shield(reading))

    async def _patterns(self, source: Source) -> tuple[str, ...]:
        file = await self._forge.trusted_file(source, PLAN_FILE)
        if file.text is None:
            return DEFAULT_TAGS
        try:
            return read_trusted_plan(file.text.encode()).tags
        except ConfigurationError:
            return DEFAULT_TAGS


def _is_meant(pattern: str, tag: str) -> bool:
    """Only `*` is special, and it spans everything: tags are no paths."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), tag) is not None
