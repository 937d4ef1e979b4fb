"""Going on with what a dead process left, and stopping what runs, here or in another process.

Law: only one process takes a dead one's workflows over: it holds the dead one's place while it moves them to itself. What a living
process has is refused, saying who. A workflow is taken over with everything that it started.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

from dbos import DBOS

from conductor.domain.run import Status
from conductor.durable.room import SHAPE, apart, the_room
from conductor.durable.standing import Standing, standings, status_of, tree
from conductor.errors import CancelledRunError, NotFoundError, RefusedError

CUT_OFF_WITHIN = timedelta(seconds=5)
"""How long `cancel` waits for the tasks that it cut off to leave."""

POLL_SECONDS = 0.1
"""How often the process looks for what it has taken over."""


async def orphans() -> list[str]:
    """Return what can be resumed: workflows of dead processes, oldest first, without those that another orphan started."""
    room = the_room()
    room.refuse_if_lost()
    left = [one for one in await standings(unended=True) if one.status is Status.INTERRUPTED]
    ids = {one.id for one in left}
    if not left:
        await room.executors.sweep()
    return [one.id for one in left if one.parent not in ids]


async def resume(workflow_id: str) -> None:
    """Take it over with all that it started. Ended, or at work in this process: nothing happens.

    Raises `NotFoundError`; `ConflictError` where a living process has it; `CancelledRunError`; `RefusedError` where another version of
    Conductor left it.
    """
    room = the_room()
    room.refuse_if_lost()
    standing = await status_of(workflow_id)
    if standing is None:
        raise NotFoundError(
            f"there is no workflow {workflow_id}", remedy="`conductor runs list` shows the runs there are."
        )
    if standing.cancelled:
        raise CancelledRunError(f"{workflow_id} was cancelled", remedy="Start a new run.")
    if standing.status is Status.ENDED or standing.executor == room.executors.own:
        return
    async with AsyncExitStack() as locks:
        owners = _owners(await tree(workflow_id)) | {standing.executor}
        for dead in sorted(owners):
            await locks.enter_async_context(room.executors.takeover(dead))
        left = [
            one
            for one in await tree(workflow_id)
            if one.status is not Status.ENDED and one.executor in owners
        ]
        await _move(_checked(left))


def _owners(family: list[Standing]) -> set[str]:
    return {one.executor for one in family if one.status is Status.INTERRUPTED}


def _checked(left: list[Standing]) -> list[str]:
    strange = [one for one in left if one.shape != SHAPE]
    if strange:
        raise RefusedError(
            f"{strange[0].id} was begun by another version of Conductor (shape {strange[0].shape}, this one is {SHAPE})",
            remedy="Resume it with that version, or cancel it and start a new run.",
        )
    return [one.id for one in left]


async def _move(ids: list[str]) -> None:
    room = the_room()
    if not room.listening:
        await apart(DBOS.register_queue_async(room.queue, polling_interval_sec=POLL_SECONDS))
        room.listening = True
    if ids:
        await apart(DBOS.resume_workflows_async(ids, queue_name=room.queue))


async def cancel(workflow_id: str) -> None:
    """Stop it with all that it started, wherever it runs: at once here, within a second elsewhere. Ended: nothing happens.

    Its steps are cut off; it runs no clean-up of its own. Raises `NotFoundError`.
    """
    if await status_of(workflow_id) is None:
        raise NotFoundError(
            f"there is no workflow {workflow_id}", remedy="`conductor runs list` shows the runs there are."
        )
    await apart(DBOS.cancel_workflow_async(workflow_id, cancel_children=True))
    cut = [task for task in await the_room().cut_cancelled() if task is not asyncio.current_task()]
    if cut:
        await asyncio.wait(cut, timeout=CUT_OFF_WITHIN.total_seconds())
