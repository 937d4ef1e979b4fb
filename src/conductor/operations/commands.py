"""What people ask for on the forge: `/conductor ...` in a comment, and the buttons of a check.

Comments count from people with write permission alone. Each is answered once it was carried out; where the process dies in between, it is
carried out again, which changes nothing more, and answered then.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from conductor.domain.delivery import (
    CommandGiven,
    Delivery,
    DeliveryStatus,
    Placed,
    RerunAsked,
    Verb,
)
from conductor.domain.run import Run, Stage, Status
from conductor.domain.trigger import Cause, Trigger
from conductor.domain.verdict import Outcome, Reason, Verdict
from conductor.errors import ConductorError, ConflictError, NotFoundError, UsageError
from conductor.operations import rerun, stacks, supersede
from conductor.operations.accepting import accept, as_formed, everything_anew
from conductor.operations.settling import Settled, joined_or_started
from conductor.ports.hosting import Hosting
from conductor.ports.service import Service
from conductor.ports.store import RunRow

KEEP_FOR = timedelta(hours=24)
"""How long `/conductor keep` keeps a stack where it names no time."""
_HOW_FAR_BACK = 500
"""Among so many of the repository's latest runs the one that a comment means is looked for."""


async def carry_out(service: Service, delivery: Delivery, given: CommandGiven) -> Settled:
    """Do what a comment asks for and answer it. What cannot be done is the answer; errors that pass are raised, to be tried again."""
    hosting = service.hostings[delivery.hosting]
    if not await hosting.may_write(given.repository, given.sender):
        said = "Only people who may write to the repository can do this."
        return await _refuse(hosting, given, said)
    try:
        settled = await _do(service, delivery, given)
    except ConductorError as error:
        if error.retryable and not isinstance(error, ConflictError):
            raise
        return await _refuse(hosting, given, f"{error.message}. {error.remedy}".strip())
    await hosting.answer(given, settled.note, agreed=True)
    return settled


async def press(service: Service, delivery: Delivery, asked: RerunAsked) -> Settled:
    """Do what the button of a check asks for: the run that the check was made for, once more. The forge shows it only to who may."""
    row = await _of_check(service, asked)
    if row is None or not _is_of(row.run, asked):
        return Settled(status=DeliveryStatus.IGNORED, note="the check is of no run that is known here")
    trigger = Trigger(cause=Cause.BUTTON, hosting=delivery.hosting, delivery=delivery.id, sender=asked.sender)
    try:
        return await _again(service, delivery, row, trigger, failed_only=asked.failed_only)
    except UsageError as error:
        return Settled(status=DeliveryStatus.IGNORED, note=error.message)


async def _do(service: Service, delivery: Delivery, given: CommandGiven) -> Settled:
    if given.verb is Verb.RUN:
        return await _run(service, delivery, given)
    row = await _latest(service, delivery, given)
    match given.verb:
        case Verb.RERUN:
            trigger = Trigger(
                cause=Cause.COMMAND, hosting=delivery.hosting, delivery=delivery.id, sender=given.sender
            )
            return await _again(service, delivery, row, trigger, failed_only=given.failed_only)
        case Verb.CANCEL:
            return await _cancel(row, given)
        case Verb.KEEP:
            return await _keep(service, delivery, row, given)
        case _:
            return await _delete(service, row)


async def _run(service: Service, delivery: Delivery, given: CommandGiven) -> Settled:
    placed = await service.hostings[delivery.hosting].place_command(given)
    trigger = replace(placed.trigger, hosting=delivery.hosting, delivery=delivery.id)
    accepted = await accept(
        service,
        replace(placed, trigger=trigger),
        cause=delivery.id,
        asked_at=delivery.received_at,
        again=everything_anew(service, trigger),
    )
    settled = joined_or_started(accepted)
    return replace(settled, note=settled.note or f"run {settled.run}, attempt {settled.attempt}")


async def _again(
    service: Service, delivery: Delivery, row: RunRow, trigger: Trigger, *, failed_only: bool
) -> Settled:
    """Run it again. A run that is at work is joined, and one that this very delivery made already is found again."""
    again = everything_anew(service, trigger)
    if failed_only and row.status is Status.ENDED and not _was_made_by(row.run, delivery):
        formed = await rerun.form(
            service.world, row, from_stage=Stage.TESTS, failed_only=True, principal=trigger.sender
        )
        again = as_formed(replace(formed, trigger=again(row.run).trigger), otherwise=again)
    placed = Placed(repository=row.run.repository, source=row.run.source, trigger=trigger)
    accepted = await accept(service, placed, cause=delivery.id, asked_at=delivery.received_at, again=again)
    settled = joined_or_started(accepted)
    return replace(settled, note=settled.note or f"run {settled.run}, attempt {settled.attempt}")


async def _cancel(row: RunRow, given: CommandGiven) -> Settled:
    cancelled = Outcome(
        verdict=Verdict.CANCELLED,
        reason=Reason.CANCELLED,
        message=f"{given.sender} cancelled the run",
        remedy="Start it again when you want its verdict.",
    )
    begun = await supersede.stop(row, cancelled)
    return _done(
        row, f"run {row.run.id} is being cancelled" if begun else f"run {row.run.id} had ended already"
    )


async def _keep(service: Service, delivery: Delivery, row: RunRow, given: CommandGiven) -> Settled:
    """Let the stack's lease end no earlier than that time after the comment: said twice, it is the same."""
    until = delivery.received_at + (given.keep_for or KEEP_FOR)
    info = await stacks.find(service.world, row.run.namespace)
    ends = info.lease.expires_at if info.lease else None
    if ends is None or ends < until:  # without an end there is nothing to extend: that is said
        by = until - max(ends or until, service.world.clock.now())
        ends = (await stacks.extend(service.world, row.run.namespace, by=by)).expires_at
    return _done(row, f"the stack of {row.run.id} stays until {ends:%Y-%m-%d %H:%M} UTC")


async def _delete(service: Service, row: RunRow) -> Settled:
    if row.status is not Status.ENDED:
        raise ConflictError(f"run {row.run.id} is at work", remedy="Cancel it first: `/conductor cancel`.")
    await stacks.delete(service.world, row.run.namespace)
    return _done(row, f"the stack of {row.run.id} is deleted")


async def _latest(service: Service, delivery: Delivery, given: CommandGiven) -> RunRow:
    """Find the latest run of that pull request or issue, else of its branch. NotFoundError where nothing has run there."""
    rows = await service.world.store.list_runs(repository=given.repository, limit=_HOW_FAR_BACK)
    found = next((row for row in rows if _is_about(row.run, given)), None)
    if found is None:
        placed = await service.hostings[delivery.hosting].place_command(given)
        found = next((row for row in rows if _is_placed(row.run, placed)), None)
    latest = found and await service.world.store.find_run(found.run.id)
    if latest:
        return latest
    raise NotFoundError(f"nothing has run for #{given.issue} yet", remedy="`/conductor run` starts a run.")


async def _of_check(service: Service, asked: RerunAsked) -> RunRow | None:
    """Find the run of a check. "Re-run all checks" names none: it is the latest of the commit then."""
    store, name = service.world.store, asked.run
    if not name:
        rows = await store.list_runs(repository=asked.repository, limit=_HOW_FAR_BACK)
        name = next((row.run.id for row in rows if row.run.source.commit == asked.commit), "")
    return await store.find_run(name) if name else None


def _is_about(run: Run, given: CommandGiven) -> bool:
    trigger = run.trigger
    return trigger is not None and given.issue in (trigger.issue, trigger.pull_request)


def _is_placed(run: Run, placed: Placed) -> bool:
    same_branch = bool(placed.source.branch) and run.source.branch == placed.source.branch
    return same_branch or run.source.commit == placed.source.commit


def _is_of(run: Run, asked: RerunAsked) -> bool:
    same_commit = not asked.commit or run.source.commit == asked.commit
    return asked.run in ("", run.id) and run.repository.lower() == asked.repository.lower() and same_commit


def _was_made_by(run: Run, delivery: Delivery) -> bool:
    return run.trigger is not None and run.trigger.delivery == delivery.id


def _done(row: RunRow, note: str) -> Settled:
    return Settled(status=DeliveryStatus.DONE, note=note, run=row.run.id, attempt=row.run.attempt)


async def _refuse(hosting: Hosting, given: CommandGiven, why: str) -> Settled:
    await hosting.answer(given, why, agreed=False)
    return Settled(status=DeliveryStatus.IGNORED, note=why)
