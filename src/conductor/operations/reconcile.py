"""Find what no delivery told of: deliveries that were lost on their way, and trigger tags without a run.

Laws. A commit that has a run is left alone; only a delivery, a button or a command asks for another attempt. Unless the settings want
them, tags that stood before the server first saw their repository start nothing by themselves: a new server begins with what is new.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from conductor.domain.delivery import Tag, TagPushed
from conductor.domain.trigger import Cause
from conductor.errors import ConductorError, StateError
from conductor.operations import supersede
from conductor.operations.accepting import accept
from conductor.operations.admissible import Triggers, is_allowed
from conductor.operations.intake import receive
from conductor.ports.hosting import Hosting
from conductor.ports.service import Service

AT_FIRST = timedelta(days=3)
"""How far back lost deliveries are looked for after a start: GitHub redelivers what is at most three days old."""
OVERLAP = timedelta(minutes=10)
"""How far a look reaches into the one before: a delivery may be on its way for a while before it is given up."""
_HOW_FAR_BACK = 1000
"""So many of a repository's latest runs are looked through at once; for an older commit the queue is asked."""

_log = logging.getLogger(__name__)


class Reconciler:
    """Compares the forges with the records, time and again."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._looked_at: dict[str, datetime] = {}

    async def turn(self) -> Counter[str]:
        """Look once, and count what was found: `deliveries`, `tags`, `failed`. One forge or repository stops no other."""
        found: Counter[str] = Counter()
        for hosting in self._service.hostings.values():
            await self._bear(hosting.name, self._lost(hosting, found), found)
        return found + await self.tags()

    async def tags(self) -> Counter[str]:
        """Look at the tags alone, as where no delivery can come in; then at every branch that has several runs."""
        found: Counter[str] = Counter()
        for hosting in self._service.hostings.values():
            await self._bear(hosting.name, self._all_tags(hosting, found), found)
        for branch, error in (await supersede.settle(self._service)).items():
            _log.warning("which run of %s is the newest is not known yet: %s", branch, error)
        return found

    async def _lost(self, hosting: Hosting, found: Counter[str]) -> None:
        now = self._service.world.clock.now()
        since = self._looked_at.get(hosting.name, now - AT_FIRST + OVERLAP) - OVERLAP
        for delivery in await hosting.lost(since=since):
            found["deliveries"] += await receive(self._service, delivery)
        self._looked_at[hosting.name] = now

    async def _all_tags(self, hosting: Hosting, found: Counter[str]) -> None:
        for repository in await hosting.repositories():
            if is_allowed(self._service.policy, repository):
                await self._bear(repository, self._tags(hosting, repository, found), found)

    async def _tags(self, hosting: Hosting, repository: str, found: Counter[str]) -> None:
        tags = await hosting.tags(repository, self._service.policy.trigger_tags)
        known = set() if self._service.policy.old_tags else await self._old(repository, tags)
        if not tags:
            return
        known |= await self._commits(repository)
        triggers = Triggers(self._service.world.forge)
        for tag in tags:
            if tag.commit in known:
                continue
            known.add(tag.commit)
            pushed = TagPushed(repository=repository, tag=tag.name, commit=tag.commit)
            await self._bear(
                f"{tag.name} of {repository}", self._take(hosting, pushed, triggers, found), found
            )

    async def _take(
        self,
        hosting: Hosting,
        pushed: TagPushed,
        triggers: Triggers,
        found: Counter[str],
    ) -> None:
        placed = await hosting.place(pushed)
        if not await triggers.include(placed.source, pushed.tag):
            return
        trigger = replace(placed.trigger, cause=Cause.RECONCILED, hosting=hosting.name, tag=pushed.tag)
        cause = f"tag:{pushed.repository}:{pushed.commit}"
        accepted = await accept(self._service, replace(placed, trigger=trigger), cause=cause)
        found["tags"] += accepted.is_new

    async def _old(self, repository: str, tags: Sequence[Tag]) -> set[str]:
        """Return the commits of tags that stood before the server first saw the repository. Its first look is now, if it never had one."""
        return set(await self._service.queue.stood_before(repository, {tag.commit for tag in tags}))

    async def _commits(self, repository: str) -> set[str]:
        rows = await self._service.world.store.list_runs(repository=repository, limit=_HOW_FAR_BACK)
        return {row.run.source.commit for row in rows if row.run.source.commit}

    async def _bear(self, what: str, work: Coroutine[object, object, None], found: Counter[str]) -> None:
        try:
            await work
        except StateError:
            raise
        except ConductorError as error:
            found["failed"] += 1
            _log.warning("reconciling %s: %s", what, error)
