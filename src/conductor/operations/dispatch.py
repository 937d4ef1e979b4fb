"""Start what the queue admits.

Law: an entry that was admitted is begun, by whoever admitted it or, where that process is dead, by another; its workflow's name makes
that once. What somebody stopped while it waited is never begun. Workflows that were begun are the takeover's business (`replicas`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from conductor import durable
from conductor.domain.queue import Entry, Standing, decide
from conductor.domain.run import Run, Status
from conductor.domain.verdict import Outcome
from conductor.errors import ConductorError, StateError
from conductor.operations import start_run
from conductor.operations.start_run import workflow_for
from conductor.operations.supersede import is_being_stopped
from conductor.ports.service import Service

_Key = tuple[str, int]
_log = logging.getLogger(__name__)


class Dispatcher:
    """One process's part in the queue. `on_end` is called when a run that it began has ended."""

    def __init__(self, service: Service, *, on_end: Callable[[], None] = lambda: None) -> None:
        self._service = service
        self._on_end = on_end
        self._watches: set[asyncio.Task[None]] = set()
        self._begun: set[_Key] = set()
        """Entries of which is known that their workflow was begun, or that somebody stopped them: others see to them."""

    async def turn(self) -> int:
        """Begin what was left lying, admit and begin more; return how many runs were begun here."""
        entries = await self._service.queue.entries()
        self._begun &= {_key(entry) for entry in entries}
        begun = [await self._begin(entry) for entry in await self._lying(entries)]
        if any(entry.standing is Standing.WAITING for entry in entries):
            begun += [await self._begin(entry) for entry in await self._admit()]
        return sum(begun)

    async def _admit(self) -> Sequence[Entry]:
        """Admit what may begin now. What stands is looked at before the queue is, so that nothing is counted on twice."""
        world, limits = self._service.world, self._service.policy.limits
        stacks = await world.engine.namespaces() if limits.namespaces is not None else ()
        return await self._service.queue.admit(
            partial(decide, stacks=stacks), executor=durable.executor(), at=world.clock.now(), limits=limits
        )

    async def aclose(self) -> None:
        """Let go of what is watched; the runs go on, or wait to be resumed."""
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)

    async def _lying(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return what was admitted and nobody is about to begin: its process is dead, or this one could not."""
        open_ones = [
            entry for entry in entries if entry.standing is Standing.ACTIVE and _key(entry) not in self._begun
        ]
        own = durable.executor()
        owners = {entry.executor for entry in open_ones} - {own}
        ours = {own} | {owner for owner in owners if not await durable.is_alive(owner)}
        return [entry for entry in open_ones if entry.executor in ours]

    async def _begin(self, entry: Entry) -> bool:
        """Begin it, unless that was done or it was stopped; one that cannot be begun now is begun in a later turn."""
        try:
            begun = await self._begin_if_open(entry)
        except StateError:
            raise
        except ConductorError as error:
            _log.warning("run %s is not begun yet: %s", entry.run, error)
            return False
        self._begun.add(_key(entry))
        return begun

    async def _begin_if_open(self, entry: Entry) -> bool:
        row = await self._service.world.store.find_run(entry.run, attempt=entry.attempt)
        if row is None or row.status is Status.ENDED or await is_being_stopped(row.run):
            return False
        return await self._begin_or_leave(row.run)

    async def _begin_or_leave(self, run: Run) -> bool:
        standing = await durable.status_of(run.workflow_id)
        if standing is None:
            handle = await durable.start(workflow_for(run), run, id=run.workflow_id)
            watch = asyncio.create_task(self._watch(run, handle))
            self._watches.add(watch)
            watch.add_done_callback(self._watches.discard)
        elif standing.status is Status.ENDED and not standing.cancelled:
            await self._say_how_it_ended(run)
        return standing is None

    async def _say_how_it_ended(self, run: Run) -> None:
        """Bring a run to its end whose workflow is over and could not say so, as on a full disk."""
        row = await self._service.world.store.find_run(run.id)
        if row and row.status is not Status.ENDED:
            await start_run.resume(self._service.world, run.id)

    async def _watch(self, run: Run, handle: durable.Handle[Outcome]) -> None:
        try:
            await handle.result()
        except ConductorError as error:
            _log.debug("run %s: %s", run.id, error)
        finally:
            self._on_end()


def _key(entry: Entry) -> _Key:
    return entry.run, entry.attempt
