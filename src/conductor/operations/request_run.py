"""Ask a server for a run, or for another attempt of one: what the API and whoever speaks for people there do.

Law: only repositories on the allow-list run, and their code comes from where the forge, or an earlier run, says that they are; an address
of another place is the caller's responsibility, who has to be allowed to name one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from conductor.domain.delivery import Placed, TagPushed
from conductor.domain.run import Cleanup, Run, Source, Stage, Status
from conductor.domain.trigger import Cause, Priority, Trigger
from conductor.domain.verdict import Outcome, Reason, Verdict
from conductor.errors import ConflictError, NotFoundError, RefusedError, UsageError
from conductor.operations import rerun, supersede
from conductor.operations.accepting import accept, as_formed, everything_anew
from conductor.operations.admissible import is_allowed
from conductor.operations.start_run import repository_name
from conductor.operations.supersede import branch_of
from conductor.ports.queue import Accepted
from conductor.ports.service import Service
from conductor.ports.store import RunRow

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is asked for. `location` empty: where the forge, or an earlier run, says that the repository is."""

    repository: str
    ref: str
    """A tag, a branch or a commit of 40 digits."""
    location: str = ""
    environment: str = "qa"
    cleanup: Cleanup | None = None
    keep_for: timedelta | None = None
    variables: tuple[tuple[str, str], ...] = ()
    priority: Priority = Priority.NORMAL
    again: bool = True
    """A commit whose run has ended gets another attempt; False: that run is the answer."""


async def request_run(service: Service, asked: Asked, *, principal: str, cause: str) -> Accepted:
    """Take it in. The same `cause` again is the same run; a commit that is at work is joined, one that has ended gets another attempt.

    Raises RefusedError where the repository is not on the allow-list, NotFoundError where it has no such ref.
    """
    if not is_allowed(service.policy, asked.repository):
        raise RefusedError(
            f"{asked.repository} is not on the list of allowed repositories",
            remedy="The server's CONDUCTOR_ALLOW names them.",
        )
    placed = await _place(service, asked, principal)
    trigger = replace(placed.trigger, cause=Cause.API, sender=principal, priority=asked.priority)
    accepted = await accept(
        service,
        replace(placed, trigger=trigger),
        cause=cause,
        again=everything_anew(service, trigger) if asked.again else None,
        shape=_shaped(asked),
    )
    await _settle(service, accepted.run)
    return accepted


async def run_again(
    service: Service,
    row: RunRow,
    *,
    principal: str,
    cause: str,
    from_stage: Stage = Stage.BUILD,
    failed_only: bool = False,
) -> Accepted:
    """Take in another attempt of a run that has ended, at the same commit. Raises ConflictError where it is at work."""
    if row.status is not Status.ENDED:
        raise ConflictError(f"run {row.run.id} has not ended", remedy="Wait for its verdict, or cancel it.")
    trigger = replace(row.run.trigger or Trigger(), cause=Cause.API, sender=principal)
    again = everything_anew(service, trigger)
    if from_stage is not Stage.BUILD:
        formed = await rerun.form(
            service.world, row, from_stage=from_stage, failed_only=failed_only, principal=principal
        )
        again = as_formed(replace(formed, trigger=trigger), otherwise=again)
    elif failed_only:
        raise UsageError("failed tests alone are run in the kept stack", remedy="Leave out the stage.")
    placed = Placed(repository=row.run.repository, source=row.run.source, trigger=trigger)
    accepted = await accept(service, placed, cause=cause, again=again)
    await _settle(service, accepted.run)
    return accepted


async def cancel(row: RunRow, *, principal: str) -> bool:
    """Begin the end of a run, waiting or active, and wait for nothing. False: it has ended already."""
    outcome = Outcome(
        verdict=Verdict.CANCELLED,
        reason=Reason.CANCELLED,
        message=f"{principal} cancelled the run",
        remedy="Start it again when you want its verdict.",
    )
    return await supersede.stop(row, outcome) is not None


async def _settle(service: Service, run: Run) -> None:
    branch = branch_of(run)
    if branch:
        await supersede.settle(service, {branch})


def _shaped(asked: Asked) -> Callable[[Run], Run]:
    return lambda run: replace(
        run,
        environment=asked.environment,
        cleanup=asked.cleanup,
        keep_for=asked.keep_for,
        variables=asked.variables,
    )


async def _place(service: Service, asked: Asked, principal: str) -> Placed:
    if asked.location:
        return await _at(service, asked, asked.location)
    commit = asked.ref if _COMMIT.fullmatch(asked.ref) else ""
    for hosting in service.hostings.values():
        try:
            tags = () if commit else await hosting.tags(asked.repository, (asked.ref,))
            found = next((tag.commit for tag in tags if tag.name == asked.ref), commit)
            if found:
                pushed = TagPushed(
                    repository=asked.repository,
                    tag="" if commit else asked.ref,
                    commit=found,
                    sender=principal,
                )
                return await hosting.place(pushed)
        except NotFoundError:
            continue
    for location in await _locations(service, asked.repository):
        with suppress(NotFoundError):
            return await _at(service, asked, location)
    raise NotFoundError(
        f"{asked.repository} has no tag, branch or commit {asked.ref!r} on any forge of this server",
        remedy="Push a tag and ask for that; or see that the server reaches the repository.",
    )


async def _locations(service: Service, repository: str) -> list[str]:
    """Return where an earlier run found it, or else where the forges say that it would be."""
    if rows := await service.world.store.list_runs(repositories=(repository,), limit=1):
        return [rows[0].run.source.location]
    found = []
    for issues in (service.tracking.issues if service.tracking else {}).values():
        with suppress(NotFoundError):
            found.append(await issues.location(repository))
    return found


async def _at(service: Service, asked: Asked, location: str) -> Placed:
    source: Source = await service.world.forge.resolve(location, asked.ref)
    if source.commit is None:
        raise UsageError(f"{asked.ref!r} is no commit of {asked.repository}", remedy="Name a tag or branch.")
    if asked.location and repository_name(location).lower() != asked.repository.lower():
        raise UsageError(
            f"{location} is not {asked.repository}", remedy="The address has to end with the repository."
        )
    return Placed(repository=asked.repository, source=source, trigger=Trigger())
