"""Stacks that runs left standing: kept longer, or removed."""

from __future__ import annotations

from datetime import timedelta

from conductor.domain.access import Role
from conductor.domain.lease import NamespaceStatus
from conductor.errors import ConflictError, NotFoundError
from conductor.mcp import visible
from conductor.mcp.answers.stacks import Kept, Removed
from conductor.mcp.arguments import Hours, RunName
from conductor.mcp.offering import Offer
from conductor.mcp.visit import Visit
from conductor.operations import stacks


async def keep_stack(visit: Visit, run: RunName, hours: Hours = 4) -> Kept:
    """Let the stack that a run left stand longer: from its end, or from now, whichever is later.

    Use it while you still look at it, or want `rerun_failed` to run in it. Only stacks of your own runs, or of a branch that you have
    claimed. Needs the role run.
    """
    visit.needs(Role.RUN)
    info = await visible.find_stack(visit, run)
    await visible.refuse_unless_own_stack(visit, info)
    if info.lease is None:
        raise NotFoundError(f"{info.name} has no readable lease", remedy="Delete it: `delete_stack`.")
    lease = await stacks.extend(visit.world, info.name, by=timedelta(hours=hours))
    await visit.did("stack.extend", info.name, repository=lease.repository, detail=f"{hours:g} h")
    return Kept.of(lease)


async def delete_stack(visit: Visit, run: RunName) -> Removed:
    """Remove the stack that a run left; answers once it is gone. Report and logs of the run stay.

    Use it when nobody looks at it any more: it makes room for others. Only stacks of your own runs, or of a branch that you have
    claimed; never while a run is at work in it. Needs the role run.
    """
    visit.needs(Role.RUN)
    info = await visible.find_stack(visit, run)
    await visible.refuse_unless_own_stack(visit, info)
    if info.lease and info.lease.status is NamespaceStatus.ACTIVE:
        raise ConflictError(
            f"a run is at work in {info.run}", remedy="Wait for its verdict, or cancel it: `cancel_run`."
        )
    things = await stacks.delete(visit.world, info.name)
    repository = info.lease.repository if info.lease else ""
    await visit.did("stack.delete", info.name, repository=repository, detail=f"{things} things")
    return Removed(run=info.run, things=things)


STACKS = (
    Offer(work=keep_stack, title="Keep a stack longer"),
    Offer(work=delete_stack, title="Remove a stack", destroys=True),
)
