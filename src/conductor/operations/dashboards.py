"""Dashboards follow what is there: made for what begins, removed with what goes. Worked out from the records, so nothing is forgotten.

Law: a dashboard decides nothing. One that cannot be made is a note in its run, once, and is tried again with the next turn.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime, timedelta

from conductor.domain.event import Event, Kind
from conductor.domain.run import Run, Status
from conductor.errors import ConductorError
from conductor.ports.dashboards import Board, Dashboards, Of
from conductor.ports.store import RunRow
from conductor.ports.world import World

STAYS = timedelta(days=1)
"""For so long the dashboard of a run stays that has ended; with a stack that stands, as long as that."""
MOST = 500
_log = logging.getLogger(__name__)


async def keep_dashboards(world: World, *, fleet: bool = True) -> Counter[str]:
    """Make those that are missing and remove those whose owner is gone; return how many. `fleet`: those of all runs together, too."""
    if (dashboards := world.dashboards) is None:
        return Counter()
    runs = await _runs(world)
    wanted = {Board(Of.RUN, run): None for run in runs}
    if fleet:
        wanted |= {Board(Of.FLEET): None}
        wanted |= {Board(Of.REPOSITORY, one.name): None for one in (await world.store.repositories())[:MOST]}
    if world.environments:
        rows = await world.environments.list_environments(limit=MOST)
        living = [one.environment.id for one in rows if not one.state.status.is_over]
        wanted |= {Board(Of.ENVIRONMENT, name): None for name in living}
    standing = await dashboards.standing()
    done: Counter[str] = Counter()
    for board in wanted:
        if dashboards.uid(board) not in standing:
            done[await _ensure(world, dashboards, board, runs)] += 1
    for uid in standing - {dashboards.uid(board) for board in wanted} if fleet else ():
        await dashboards.remove(uid)
        done["removed"] += 1
    return done


async def _ensure(world: World, dashboards: Dashboards, board: Board, runs: dict[str, Run]) -> str:
    try:
        await dashboards.ensure(board)
    except ConductorError as error:
        _log.warning("%s", error.message)
        if board.of is Of.RUN:
            await note_without(world, runs[board.name], error)
        return "failed"
    return "made"


async def note_without(world: World, run: Run, error: ConductorError) -> None:
    """Say in the run's log that it has no dashboard, and why; once."""
    text = f"there is no dashboard of this run: {error.message}"
    event = Event(
        run=run.id,
        key=f"{run.attempt}/{Kind.NOTE}//dashboard",
        at=world.clock.now(),
        kind=Kind.NOTE,
        data={"text": text},
    )
    await world.store.append(event)


async def _runs(world: World) -> dict[str, Run]:
    """Return the runs that have one: at work, ended not long ago, or with a stack that stands."""
    now = world.clock.now()
    rows = await world.store.list_runs(limit=MOST)
    found = {row.run.id: row.run for row in reversed(rows) if _is_shown(row, now)}
    for lease in await world.store.leases():
        if lease.run and lease.run not in found and (row := await world.store.find_run(lease.run)):
            found[row.run.id] = row.run
    return found


def _is_shown(row: RunRow, now: datetime) -> bool:
    return row.status is not Status.ENDED or (row.ended_at is not None and now - row.ended_at < STAYS)
