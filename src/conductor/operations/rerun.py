"""Run again what an earlier run made: its failed tests alone, all its tests, its stack, or everything at the same commit."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import replace

from conductor.domain.event import Event, Kind
from conductor.domain.lease import NamespaceInfo, NamespaceStatus
from conductor.domain.run import Rerun, Run, Stage, Status
from conductor.domain.verdict import Outcome
from conductor.durable import Handle, start
from conductor.errors import ConflictError, NotFoundError, UsageError
from conductor.operations import stacks
from conductor.operations.start_run import repository_name, workflow_for
from conductor.ports.store import RunRow
from conductor.ports.world import World
from conductor.steps.take_over import blueprint_again


async def request(
    world: World,
    name: str | None = None,
    *,
    location: str | None = None,
    from_stage: Stage = Stage.TESTS,
    failed_only: bool = False,
    principal: str = "",
) -> Run:
    """Accept a rerun of the run that is named, or of the latest one that ended at that location; a new attempt of it.

    Raises NotFoundError where there is no such run or its stack is gone, ConflictError where it is at work, RefusedError where its failed
    tests cannot be run alone.
    """
    if failed_only and from_stage is not Stage.TESTS:
        raise UsageError(
            "failed tests alone are run in the kept stack",
            remedy=f"Leave out --from {from_stage}, or --rerun-failed.",
        )
    row = await _earlier(world, name, location)
    run = await form(
        world, row, from_stage=from_stage, failed_only=failed_only, principal=principal or getpass.getuser()
    )
    await world.store.save_run(run)
    await world.store.append(_requested(run))
    return run


async def form(
    world: World, row: RunRow, *, from_stage: Stage, failed_only: bool = False, principal: str
) -> Run:
    """Make the next attempt of an ended run and see that it can be done; nothing is recorded. Raises what `request` raises."""
    namespaces = {info.name: info for info in await world.engine.namespaces()}
    kept = namespaces.get(row.run.namespace)
    _refuse_at_work(row, kept)
    if from_stage is Stage.TESTS and kept is None:
        raise NotFoundError(
            f"the stack of run {row.run.id} is gone",
            remedy="`--from stack` raises it again with the same images; runs with --no-cleanup keep theirs.",
        )
    run = replace(
        row.run,
        attempt=row.run.attempt + 1,
        principal=principal,
        requested_at=world.clock.now(),
        rerun=Rerun(
            of=row.run.attempt,
            stage=from_stage,
            stack=row.run.home if from_stage is Stage.TESTS else None,
            failed_only=failed_only,
        ),
    )
    if from_stage is not Stage.BUILD:
        await blueprint_again(run)
    if kept and kept.lease and kept.lease.status is NamespaceStatus.SLEEPING and from_stage is Stage.TESTS:
        await stacks.wake(world, kept.name)
    return run


async def last_event(world: World, run: Run) -> int:
    """Return the number of the last event before this attempt: what comes after it is the rerun's."""
    last = 0
    while batch := await world.store.events(run.id, after=last):
        for event in batch:
            if event.key == f"{run.attempt}/requested":
                return last
            last = event.seq
    return last


async def begin(run: Run) -> Handle[Outcome]:
    """Start the rerun that was accepted."""
    return await start(workflow_for(run), run, id=run.workflow_id)


def _requested(run: Run) -> Event:
    data: Mapping[str, object] = {
        "repository": run.repository,
        "commit": run.source.commit,
        "principal": run.principal,
    }
    key = f"{run.attempt}/requested"
    return Event(run=run.id, key=key, at=run.requested_at, kind=Kind.RUN_REQUESTED, data=data)


async def _earlier(world: World, name: str | None, location: str | None) -> RunRow:
    if name is not None:
        row = await world.store.find_run(name)
        missing = f"there is no run {name!r}"
    else:
        repository = repository_name(location) if location else None
        rows = await world.store.list_runs(repository=repository, limit=1)
        row = await world.store.find_run(rows[0].run.id) if rows else None
        missing = f"there is no run of {repository} yet" if repository else "there is no run yet"
    if row is None:
        raise NotFoundError(missing, remedy="`conductor runs list` shows the runs.")
    return row


def _refuse_at_work(row: RunRow, kept: NamespaceInfo | None) -> None:
    at_work = kept is not None and kept.lease is not None and kept.lease.status is NamespaceStatus.ACTIVE
    if row.status is not Status.ENDED:
        raise ConflictError(
            f"run {row.run.id} has not ended",
            remedy="Wait for its verdict, or go on with it: `conductor runs resume`.",
        )
    if at_work:
        raise ConflictError(f"a run is at work in {row.run.namespace}", remedy="Wait for its verdict.")
