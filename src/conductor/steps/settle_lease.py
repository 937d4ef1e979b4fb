"""settle-lease: whether the stack stays, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from conductor.domain.event import Kind
from conductor.domain.lease import Lease, NamespaceStatus
from conductor.domain.plan import Plan
from conductor.domain.run import Cleanup, Run
from conductor.domain.verdict import Outcome, Verdict
from conductor.durable import step
from conductor.errors import NotFoundError, UnreachableError
from conductor.ports.world import the_world
from conductor.steps.place import find_blueprint
from conductor.steps.tell import tell


@step("settle-lease")
async def settle_lease(run: Run, outcome: Outcome) -> Lease | None:
    """Return the lease of a stack that stays; None where it goes, or where there never was one."""
    blueprint = await find_blueprint(run)
    lease = await _current(run)
    if blueprint is None or lease is None or not (_is_pinned(lease) or _stays(run, blueprint.plan, outcome)):
        return None
    expires_at = _end(run, blueprint.plan, lease)
    lease = replace(lease, status=NamespaceStatus.KEPT, expires_at=expires_at)
    try:
        await the_world().engine.mark(lease)
    except NotFoundError:
        return None
    except UnreachableError:
        return await _recorded(run)  # the mark of the run at work stands, and the sweeper goes by it
    await the_world().store.save_lease(lease)
    await tell(
        run,
        Kind.LEASE_CHANGED,
        key="settled",
        subject=lease.namespace,
        status=lease.status,
        expires_at=expires_at.isoformat() if expires_at else None,
    )
    return lease


def _end(run: Run, plan: Plan, lease: Lease) -> datetime | None:
    """Return when the lease ends. A stack that was kept before is never kept for less: somebody may have extended or pinned it."""
    end = the_world().clock.now() + (run.keep_for or plan.keep_for)
    if run.home == run.attempt:
        return end
    return lease.expires_at and max(end, lease.expires_at)


def _is_pinned(lease: Lease) -> bool:
    return lease.expires_at is None


def _stays(run: Run, plan: Plan, outcome: Outcome) -> bool:
    rule = run.cleanup or plan.cleanup
    return rule is Cleanup.KEEP or (rule is Cleanup.ON_SUCCESS and outcome.verdict is not Verdict.PASSED)


async def _current(run: Run) -> Lease | None:
    """Return the mark on the namespace; the recorded one where the engine cannot be asked; None where there is no namespace."""
    try:
        found = await the_world().engine.namespaces()
    except UnreachableError:
        return await _recorded(run)
    return next((info.lease for info in found if info.name == run.namespace), None)


async def _recorded(run: Run) -> Lease | None:
    leases = await the_world().store.leases()
    return next((lease for lease in leases if lease.namespace == run.namespace), None)
