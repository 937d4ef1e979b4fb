"""Where workflows stand: DBOS's tables are the truth, and the signs of life say whose process is dead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dbos import DBOS, WorkflowStatus

from conductor.domain.run import Status
from conductor.durable.codec import decode
from conductor.durable.room import apart, is_launched, owner_of, the_room

UNENDED = ["PENDING", "ENQUEUED", "DELAYED"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where one workflow stands. `executor` is the process that has it; `parent` is empty for one that nothing started."""

    id: str
    name: str
    status: Status
    cancelled: bool = False
    executor: str = ""
    parent: str = ""
    shape: str = ""


async def status_of(workflow_id: str) -> Standing | None:
    """Return where it stands; None where there is no such workflow."""
    found = await standings(ids=[workflow_id])
    return found[0] if found else None


async def standings(
    *, ids: Sequence[str] | None = None, children_of: Sequence[str] | None = None, unended: bool = False
) -> list[Standing]:
    """Return where all those stand, oldest first."""
    room = the_room()
    rows = await apart(
        DBOS.list_workflows_async(
            workflow_ids=list(ids) if ids is not None else None,
            parent_workflow_id=list(children_of) if children_of is not None else None,
            status=UNENDED if unended else None,
            load_input=False,
            load_output=False,
        )
    )
    owners = {_owner(row) for row in rows if row.status in UNENDED}
    living = (
        await room.executors.living(owners) if owners else frozenset()
    )  # looked at after the rows: nobody is missed
    return [_standing(row, living) for row in rows]


async def recorded(workflow_id: str, steps: Sequence[str], annotation: Any) -> Any:
    """Return what the first of these steps that has gone well gave, by the record of its workflow; None where none has.

    None too where no workflow can be asked about: durable execution is not launched.
    """
    if not is_launched():
        return None
    for one in await apart(DBOS.list_workflow_steps_async(workflow_id)):
        record = one["output"]
        if one["function_name"] in steps and isinstance(record, dict) and "value" in record:
            return decode(record["value"], annotation)
    return None


async def tree(workflow_id: str) -> list[Standing]:
    """Return where it and all that it started stand, parents first."""
    found = level = await standings(ids=[workflow_id])
    while level:
        level = await standings(children_of=[one.id for one in level])
        found = found + level
    return found


def _owner(row: WorkflowStatus) -> str:
    return owner_of(row.queue_name if row.status == "ENQUEUED" else None, row.executor_id)


def _standing(row: WorkflowStatus, living: frozenset[str]) -> Standing:
    owner = _owner(row)
    return Standing(
        id=row.workflow_id,
        name=row.name,
        status=_status(row.status, is_owner_alive=owner in living),
        cancelled=row.status == "CANCELLED",
        executor=owner,
        parent=row.parent_workflow_id or "",
        shape=row.app_version or "",
    )


def _status(status: str, *, is_owner_alive: bool) -> Status:
    if status not in UNENDED:
        return Status.ENDED
    if not is_owner_alive:
        return Status.INTERRUPTED
    return Status.RUNNING if status == "PENDING" else Status.QUEUED
