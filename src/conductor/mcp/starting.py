"""How runs begin and end: at a desk by this process itself, on a server through its queue."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from conductor.domain.run import Run, Source, Stage, Status
from conductor.errors import ConflictError
from conductor.operations import request_run, rerun, start_run
from conductor.operations.request_run import Asked
from conductor.operations.start_run import RunRequest
from conductor.ports.queue import Accepted
from conductor.ports.service import Service
from conductor.ports.store import RunRow
from conductor.ports.world import World

_LOOKED_BACK = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A run that somebody wants. `location` empty: where the server knows the repository to be; at a desk it is the repository."""

    repository: str
    ref: str = ""
    location: str = ""
    environment: str = "qa"
    again: bool = False
    """A commit whose run has ended gets another attempt; else that run is the answer."""


class Starting(Protocol):
    """Law: nothing waits for a verdict."""

    takes_folders: bool
    """A repository may be named by its place: a folder, an address."""

    async def start(self, wanted: Wanted, *, principal: str) -> Accepted:
        """Begin a run, or join the one that is at work on the same commit."""
        ...

    async def again(self, row: RunRow, *, principal: str, stage: Stage, failed_only: bool) -> Accepted:
        """Begin another attempt of a run that has ended."""
        ...

    async def cancel(self, row: RunRow, *, principal: str) -> bool:
        """Begin the end of a run. False: it has ended already."""
        ...


class ServedRuns:
    """Through the queue of a server. `has_news` wakes its loops."""

    takes_folders = False

    def __init__(self, service: Service, has_news: Callable[[], None] = lambda: None) -> None:
        self._service = service
        self._has_news = has_news

    async def start(self, wanted: Wanted, *, principal: str) -> Accepted:
        """Ask for it as the API does."""
        asked = Asked(
            repository=wanted.repository,
            ref=wanted.ref,
            location=wanted.location,
            environment=wanted.environment,
            again=wanted.again,
        )
        accepted = await request_run.request_run(self._service, asked, principal=principal, cause=_cause())
        self._has_news()
        return accepted

    async def again(self, row: RunRow, *, principal: str, stage: Stage, failed_only: bool) -> Accepted:
        """Ask for it as the API does."""
        accepted = await request_run.run_again(
            self._service,
            row,
            principal=principal,
            cause=_cause(),
            from_stage=stage,
            failed_only=failed_only,
        )
        self._has_news()
        return accepted

    async def cancel(self, row: RunRow, *, principal: str) -> bool:
        """Stop it, waiting or at work."""
        begun = await request_run.cancel(row, principal=principal)
        self._has_news()
        return begun


class DeskRuns:
    """In this process, which has to stay until the verdict; what it leaves unfinished is gone on with later."""

    takes_folders = True

    def __init__(self, world: World) -> None:
        self._world = world

    async def start(self, wanted: Wanted, *, principal: str) -> Accepted:
        """Start it at once; the run that is at work on that very commit is joined."""
        location, ref = wanted.location or wanted.repository, wanted.ref or None
        source = await self._world.forge.resolve(location, ref)
        if (known := await self._known(source, at_work=wanted.again)) is not None:
            return Accepted(run=known, is_new=False)
        asked = RunRequest(location=location, ref=ref, environment=wanted.environment, principal=principal)
        run = await start_run.request(self._world, asked)
        await start_run.start_or_resume(self._world, run)
        return Accepted(run=run, is_new=True)

    async def again(self, row: RunRow, *, principal: str, stage: Stage, failed_only: bool) -> Accepted:
        """Start it at once."""
        run = await rerun.request(
            self._world, row.run.id, from_stage=stage, failed_only=failed_only, principal=principal
        )
        await rerun.begin(run)
        return Accepted(run=run, is_new=True)

    async def cancel(self, row: RunRow, *, principal: str) -> bool:
        """Stop it."""
        if await start_run.is_interrupted(row):
            raise ConflictError(
                f"run {row.run.id} has lost its process", remedy=f"`conductor runs resume {row.run.id}`."
            )
        return await request_run.cancel(row, principal=principal)

    async def _known(self, source: Source, *, at_work: bool) -> Run | None:
        """Return the run of that commit; with `at_work` one that has no verdict yet. A tree with changes is the same as no other."""
        if source.commit is None or source.dirty:
            return None
        repository = start_run.repository_name(source.location)
        for row in await self._world.store.list_runs(repository=repository, limit=_LOOKED_BACK):
            same = row.run.source.commit == source.commit and not row.run.source.dirty
            ended = row.status is Status.ENDED
            if same and not (ended and at_work) and not await start_run.is_interrupted(row):
                return row.run
        return None


def _cause() -> str:
    return f"mcp/{secrets.token_hex(8)}"
