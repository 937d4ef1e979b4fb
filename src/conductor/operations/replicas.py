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
from conductor.errors import ConductorError, ConflictError
from conductor.ports.store import RunRow
from conductor.ports.world import World
from conductor.steps.place import find_blueprint, secrets_at_hand

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
