"""At most one run of a branch goes on: the newest. The others, waiting or active, end as superseded.

Which of two commits is newer the forge says; where it cannot tell, the one that came later is. That no two are active at a time does not
hang on this: the queue admits no run while an older one of its branch is active.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from conductor.domain.delivery import Order
from conductor.domain.queue import Entry
from conductor.domain.run import Run, Status
from conductor.domain.verdict import Outcome, Reason, Verdict
from conductor.durable import Handle, start
from conductor.durable.standing import standings
from conductor.errors import ConductorError
from conductor.ports.service import Service
from conductor.ports.store import RunRow
from conductor.workflows.teardown import teardown

Branch = tuple[str, str]
"""Repository and branch."""


async def settle(
    service: Service, branches: Collection[Branch] | None = None
) -> dict[Branch, ConductorError]:
    """End all runs of these branches (None: of all) but the newest of each. Returns those whose forge could not say which that is."""
    troubles: dict[Branch, ConductorError] = {}
    if branches is not None and not branches:
        return troubles
    for branch, entries in _rivals(await service.queue.entries()).items():
        if branches is not None and branch not in branches:
            continue
        try:
            await _settle(service, entries)
        except ConductorError as error:
            troubles[branch] = error
    return troubles


async def stop(row: RunRow, outcome: Outcome) -> Handle[Outcome] | None:
    """Begin the end of a run, waiting or active, and wait for nothing. None: it has ended already."""
    if row.status is Status.ENDED:
        return None
    return await start(teardown, row.run, outcome, id=row.run.teardown_id)


async def is_being_stopped(run: Run) -> bool:
    """Tell whether somebody stopped it: its workflow is not to be started any more."""
    return bool(await standings(ids=[run.teardown_id]))


def branch_of(run: Run) -> Branch | None:
    """Name the branch that a run competes on; None where it has none."""
    return (run.repository.lower(), run.source.branch) if run.source.branch else None


def _rivals(entries: Iterable[Entry]) -> dict[Branch, list[Entry]]:
    """Group what waits or is active by branch; who is alone on one has no rival."""
    groups: defaultdict[Branch, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.branch:
            groups[entry.repository.lower(), entry.branch].append(entry)
    return {branch: group for branch, group in groups.items() if len(group) > 1}


async def _settle(service: Service, entries: Sequence[Entry]) -> None:
    rows = [row for row in await _going_on(service, entries) if row.status is not Status.ENDED]
    if len(rows) < 2:  # noqa: PLR2004 -- a rival needs another
        return
    newest = rows[0]
    for row in rows[1:]:
        if await _order(service, row.run, newest.run) != "older":
            newest = row
    for row in rows:
        if row is not newest:
            await stop(row, _superseded_by(newest.run))


async def _going_on(service: Service, entries: Sequence[Entry]) -> list[RunRow]:
    """Return the runs that nobody has stopped, in the order of their arrival."""
    store = service.world.store
    found = [await store.find_run(entry.run) for entry in entries]
    rows = [row for row in found if row is not None]
    stopped = {one.id for one in await standings(ids=[row.run.teardown_id for row in rows])}
    return [row for row in rows if row.run.teardown_id not in stopped]


async def _order(service: Service, one: Run, other: Run) -> Order:
    hosting = service.hostings.get(one.trigger.hosting) if one.trigger else None
    return await hosting.order(one.repository, one, other) if hosting else "unknown"


def _superseded_by(newer: Run) -> Outcome:
    commit = (newer.source.commit or "")[:7]
    return Outcome(
        verdict=Verdict.SUPERSEDED,
        reason=Reason.SUPERSEDED,
        message=f"superseded by {newer.id}: {commit} is the newer commit of {newer.source.branch}",
        remedy="The verdict that counts is that of the newer run.",
    )
