"""Retention: logs and artifacts go by age and size, oldest first; verdict, tests and report stay.

Law: of a run that is at work, and of one whose stack is kept, nothing is ever touched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from conductor.domain.retention import Kept, to_remove
from conductor.domain.run import Run, Status
from conductor.errors import ConductorError, NotFoundError
from conductor.ports.world import World


@dataclass(kw_only=True)
class Pruned:
    """What one pruning did: attempts as `RUN/NUMBER`, bytes that are free, logs compressed, and what could not be removed, and why."""

    removed: list[str] = field(default_factory=list)
    freed_bytes: int = 0
    packed: int = 0
    failed: dict[str, str] = field(default_factory=dict)


async def prune_evidence(world: World) -> Pruned:
    """Compress the logs of what is over, and remove what is too old or too much. One that cannot be removed stops nothing."""
    pruned = Pruned()
    kept = await _kept(world)
    going = {(one.run, one.attempt) for one in to_remove(kept, world.retention, now=world.clock.now())}
    for one in kept:
        if one.ended_at is not None:
            await _prune(world, one, pruned, goes=(one.run, one.attempt) in going)
    return pruned


async def refuse_removed(world: World, run: Run) -> None:
    """Raise NotFoundError where retention removed the logs and artifacts of an attempt, saying when."""
    at = await world.evidence.shed_at(run.id, run.attempt)
    if at is not None:
        raise NotFoundError(
            f"the logs and artifacts of {run.id} were removed by retention on {at:%Y-%m-%d}",
            remedy=f"Its verdict and tests are still there: `conductor runs show {run.id}`. "
            "CONDUCTOR_KEEP_EVIDENCE_FOR and CONDUCTOR_KEEP_EVIDENCE_BYTES say how long others stay.",
        )


async def _prune(world: World, one: Kept, pruned: Pruned, *, goes: bool) -> None:
    name = f"{one.run}/{one.attempt}"
    try:
        if not goes:
            pruned.packed += await world.evidence.pack(one.run, one.attempt)
            return
        pruned.freed_bytes += await world.evidence.shed(one.run, one.attempt, at=world.clock.now())
        pruned.removed.append(name)
    except ConductorError as error:
        pruned.failed[name] = error.message


async def _kept(world: World) -> list[Kept]:
    """Look at what there is. Sizes are measured only where they matter."""
    found = await world.evidence.attempts()
    busy = await _runs_with_a_stack(world)
    kept = []
    for run, attempt in found:
        measured = world.retention.most_bytes is not None
        size = await world.evidence.size(run, attempt) if measured else 0
        ended = None if run in busy else await _ended_at(world, run, attempt)
        kept.append(Kept(run=run, attempt=attempt, size_bytes=size, ended_at=ended))
    return kept


async def _runs_with_a_stack(world: World) -> set[str]:
    """Name them by the marks on the engine, and by what is recorded of them: either is enough."""
    marked = {info.run for info in await world.engine.namespaces()}
    return marked | {lease.run for lease in await world.store.leases()}


async def _ended_at(world: World, run: str, attempt: int) -> datetime | None:
    """Return when an attempt ended; None while any of its run has not, or where nothing is known of it."""
    latest = await world.store.find_run(run)
    if latest is None or latest.run.id != run or latest.status is not Status.ENDED:
        return None
    row = await world.store.find_run(run, attempt=attempt)
    return row.ended_at if row and row.run.id == run and row.status is Status.ENDED else None
