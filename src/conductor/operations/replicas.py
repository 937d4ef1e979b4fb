"""Replicas: what a process left that died is gone on with by another, within seconds.

Law: only runs whose process is dead are taken, each by one replica; what a living process has is left alone. A run that cannot be taken
now is tried again with the next look, and stops no other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from conductor import durable
from conductor.domain.event import Event, Kind
from conductor.domain.run import Run, Status
from conductor.durable.standing import standings
from conductor.errors import ConductorError, ConflictError, StateError
from conductor.operations import start_run
from conductor.ports.store import RunRow
from conductor.ports.world import World
from conductor.steps.place import find_blueprint, secrets_at_hand

_AT_ONCE = 1000
_log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class Adopted:
    """What one look found: ids of workflows, and why one could not be taken."""

    taken: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)


async def adopt_orphans(world: World) -> Adopted:
    """Take over what dead processes left, oldest first. What another replica was quicker with is in neither list.

    Raises `StateError` where this process itself was taken for dead (`durable.until_lost`): it is to end.
    """
    adopted = Adopted()
    for orphan in await durable.orphans():
        try:
            await _adopt(world, orphan)
        except ConflictError:
            continue
        except ConductorError as error:
            adopted.left[orphan] = error.message
        else:
            _log.warning("went on with what a dead process left", workflow=orphan)
            adopted.taken.append(orphan)
    return adopted


async def end_silent(world: World) -> list[str]:
    """End runs whose workflow is over and could not say so, as on a full disk; return their ids. One that cannot be stops no other."""
    rows = await world.store.list_runs(status=Status.RUNNING, limit=_AT_ONCE)
    # what the records say is looked at before what is at work: a run that ends in between says so itself
    at_work = {one.id for one in await standings(unended=True)} if rows else set()
    silent = [row.run for row in rows if not _is_at_work(row.run, at_work)]
    return [run.id for run in silent if await _end(world, run)]


def _is_at_work(run: Run, at_work: set[str]) -> bool:
    stories = {run.workflow_id, run.first_attempt.workflow_id, run.teardown_id}
    return bool(stories & at_work) or any(one.startswith(f"{run.teardown_id}/") for one in at_work)


async def _end(world: World, run: Run) -> bool:
    """End it, where its workflow truly is over."""
    row = await world.store.find_run(run.id)
    standing = await durable.status_of(run.first_attempt.workflow_id)
    is_over = standing is not None and standing.status is Status.ENDED and not standing.cancelled
    if row is None or row.run.attempt != run.attempt or row.status is Status.ENDED or not is_over:
        return False
    try:
        await start_run.resume(world, run.id)
    except StateError:
        raise
    except ConductorError as error:
        _log.warning("a run whose workflow is over is not ended yet", run=run.id, why=error.message)
        return False
    _log.warning("ended a run whose workflow was over and had not said so", run=run.id)
    return True


async def _adopt(world: World, workflow_id: str) -> None:
    """Take it over, once its secrets are known to be at hand: a run without them would end broken, and can still be resumed elsewhere."""
    row = await _row(world, workflow_id)
    if row is not None and row.status is not Status.ENDED:
        await secrets_at_hand(row.run, await find_blueprint(row.run))
    await durable.resume(workflow_id)
    if row is not None and row.status is not Status.ENDED:
        await _show(world, row.run)


async def _show(world: World, run: Run) -> None:
    """Record that the run is at work here, and tell it."""
    now = world.clock.now()
    await world.store.set_status(run, Status.RUNNING, at=now, executor=durable.executor())
    key = f"{run.attempt}/resumed/{now.isoformat()}"
    await world.store.append(Event(run=run.id, key=key, at=now, kind=Kind.RUN_RESUMED))


async def _row(world: World, workflow_id: str) -> RunRow | None:
    """Return the latest attempt of the run that a workflow belongs to: `run/ID/ATTEMPT` or `teardown/ID/ATTEMPT...`; None for others."""
    kind, _, rest = workflow_id.partition("/")
    return await world.store.find_run(rest.partition("/")[0]) if kind in ("run", "teardown") else None
