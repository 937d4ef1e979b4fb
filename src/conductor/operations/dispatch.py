"""Start what the queue admits, and take out of the queue what has ended.

Law: an entry that was admitted is begun, by whoever admitted it or, where that process is dead, by another; its workflow's name makes
that once. What somebody stopped while it waited is never begun. Workflows that were begun are the takeover's business (`replicas`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conductor import durable
from conductor.domain.queue import Entry, Standing, decide
from conductor.domain.run import Run, Status
from conductor.domain.verdict import Outcome
from conductor.errors import ConductorError, StateError
from conductor.operations import start_run
from conductor.operations.start_run import workflow_for
from conductor.operations.supersede import is_being_stopped
from conductor.ports.service import Service
from conductor.ports.store import RunRow

LOOKED_AT = 50
"""Among so many of the waiting entries is looked, in turns, for runs that were stopped before they began."""

_Key = tuple[str, int]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dispatched:
    """What one turn did: runs begun here, and entries taken out because their run has ended."""

    begun: int = 0
    left: int = 0


class Dispatcher:
    """One process's part in the queue. `on_end` is called when a run that it began has ended."""

    def __init__(self, service: Service, *, on_end: Callable[[], None] = lambda: None) -> None:
        self._service = service
        self._on_end = on_end
        self._watched: dict[_Key, asyncio.Task[None]] = {}
        self._looked_until = 0

    async def turn(self) -> Dispatched:
        """Take out what has ended, begin what was left lying, admit and begin more."""
        queue = self._service.queue
        entries = await queue.entries()
        ended = [entry for entry in await self._to_look_at(entries) if await self._is_over(entry, entries)]
        for entry in ended:
            await queue.leave(entry.run, entry.attempt)
        gone = {_key(entry) for entry in ended}
        lying = [entry for entry in entries if _key(entry) not in gone and await self._lies(entry)]
        admitted = await queue.admit(
            decide,
            executor=durable.executor(),
            at=self._service.world.clock.now(),
            limits=self._service.policy.limits,
        )
        begun = [await self._begin(entry) for entry in (*lying, *admitted)]
        return Dispatched(begun=sum(begun), left=len(ended))

    async def aclose(self) -> None:
        """Let go of what is watched; the runs go on, or wait to be resumed."""
        for task in self._watched.values():
            task.cancel()
        await asyncio.gather(*self._watched.values(), return_exceptions=True)

    async def _to_look_at(self, entries: Sequence[Entry]) -> list[Entry]:
        """Choose the entries whose run may have ended: what nobody watches, and some of what waits."""
        active = [entry for entry in entries if entry.standing is Standing.ACTIVE]
        return [entry for entry in active if not self._is_watched(entry)] + self._next_waiting(entries)

    def _next_waiting(self, entries: Sequence[Entry]) -> list[Entry]:
        waiting = [entry for entry in entries if entry.standing is Standing.WAITING]
        chosen = [entry for entry in waiting if entry.arrival > self._looked_until][:LOOKED_AT]
        self._looked_until = chosen[-1].arrival if len(chosen) == LOOKED_AT else 0
        return chosen

    def _is_watched(self, entry: Entry) -> bool:
        watch = self._watched.get(_key(entry))
        return watch is not None and not watch.done()

    async def _is_over(self, entry: Entry, entries: Sequence[Entry]) -> bool:
        """Tell whether nothing is at work for it: its latest attempt has ended, or a later one is in the queue."""
        if any(other.run == entry.run and other.attempt > entry.attempt for other in entries):
            return True
        row = await self._service.world.store.find_run(entry.run)
        return row is None or row.status is Status.ENDED

    async def _lies(self, entry: Entry) -> bool:
        """Tell whether it was admitted and nobody is about to begin it: its process is dead, or this one could not."""
        if entry.standing is not Standing.ACTIVE or self._is_watched(entry):
            return False
        return entry.executor == durable.executor() or not await durable.is_alive(entry.executor)

    async def _begin(self, entry: Entry) -> bool:
        """Begin it, unless that was done or it was stopped; one that cannot be begun now is begun in a later turn."""
        try:
            row = await self._service.world.store.find_run(entry.run, attempt=entry.attempt)
            if row is None or row.status is Status.ENDED or await is_being_stopped(row.run):
                return False
            return await self._begin_or_watch(entry, row)
        except StateError:
            raise
        except ConductorError as error:
            _log.warning("run %s is not begun yet: %s", entry.run, error)
            return False

    async def _begin_or_watch(self, entry: Entry, row: RunRow) -> bool:
        standing = await durable.status_of(row.run.workflow_id)
        if standing and standing.status is Status.INTERRUPTED:
            return False  # it was begun: the takeover goes on with it
        if standing and standing.status is Status.ENDED:
            await self._say_how_it_ended(row.run, cancelled=standing.cancelled)
            return False
        handle = await durable.start(workflow_for(row.run), row.run, id=row.run.workflow_id)
        self._watched[_key(entry)] = asyncio.create_task(self._watch(_key(entry), handle))
        return standing is None

    async def _say_how_it_ended(self, run: Run, *, cancelled: bool) -> None:
        """Bring a run to its end whose workflow is over and could not say so, as on a full disk."""
        row = await self._service.world.store.find_run(run.id)
        if row and row.status is not Status.ENDED and not cancelled:
            await start_run.resume(self._service.world, run.id)

    async def _watch(self, key: _Key, handle: durable.Handle[Outcome]) -> None:
        try:
            await handle.result()
        except ConductorError as error:
            _log.debug("run %s: %s", key[0], error)
        finally:
            self._watched.pop(key, None)
            self._on_end()


def _key(entry: Entry) -> _Key:
    return entry.run, entry.attempt
