"""What a caller sees and what is their own: an object of another repository is not there, and what another made is not theirs to end."""

from __future__ import annotations

import asyncio
from pathlib import Path

from conductor.domain.access import Role
from conductor.domain.lease import NamespaceInfo
from conductor.domain.names import attempt_of
from conductor.domain.run import Run
from conductor.errors import NotFoundError, RefusedError, UsageError
from conductor.mcp.visit import Visit
from conductor.operations import environments
from conductor.ports.environments import EnvironmentRow
from conductor.ports.store import RunRow


def the_repository(visit: Visit, name: str) -> str:
    """Return the name of a repository, if there is one as far as the caller can tell."""
    if not visit.caller.reaches(name):
        raise NotFoundError(
            f"there is no repository {name!r}",
            remedy=f"This token is for {', '.join(sorted(visit.caller.repositories))}: name one of these.",
        )
    return name


async def place_of(visit: Visit, repository: str) -> tuple[str, str]:
    """Return where a repository is, and the forge that says so. At a desk it may be named by its place: then there is no forge."""
    refusal: NotFoundError | None = None
    for forge in visit.site.tracking.issues.values() if visit.site.tracking else ():
        try:
            return await forge.location(repository), forge.name
        except NotFoundError as error:
            refusal = refusal or error
    if visit.site.starting.takes_folders and (place := await asyncio.to_thread(_named, repository)):
        return place, ""
    raise refusal or NotFoundError(
        f"there is no repository {repository!r}",
        remedy="Name one as its forge does"
        + (", a folder, or an address." if visit.site.starting.takes_folders else "."),
    )


def _named(repository: str) -> str:
    """Return what git finds there: an address as it is, a folder in full; empty where there is none."""
    if "://" in repository or ("@" in repository.partition("/")[0] and ":" in repository):
        return repository
    folder = Path(repository).expanduser().absolute()
    return str(folder) if folder.exists() else ""


async def find_run(visit: Visit, name: str, attempt: int | None = None) -> RunRow:
    """Return a run by its id or beginning. NotFoundError where there is none that the caller sees."""
    try:
        row = await visit.world.store.find_run(name, attempt=attempt)
    except UsageError:
        if visit.caller.repositories:
            raise _no_run(name) from None
        raise
    if row is None or not visit.caller.reaches(row.run.repository):
        raise _no_run(name)
    return row


async def find_environment(visit: Visit, name: str) -> EnvironmentRow:
    """Return an environment by its id or beginning. NotFoundError where there is none that the caller sees."""
    try:
        row = (await environments.find(visit.world, name)).row
    except UsageError as error:
        if isinstance(error, NotFoundError) or visit.caller.repositories:
            raise _no_environment(name) from None
        raise
    if not visit.caller.reaches(row.environment.repository):
        raise _no_environment(name)
    return row


async def find_stack(visit: Visit, name: str) -> NamespaceInfo:
    """Return what stands of a run. NotFoundError where nothing does that the caller sees."""
    found = [
        one for one in await visit.world.engine.namespaces() if _sees(visit, one) and not one.is_environment
    ]
    named = [one for one in found if one.name == name] or [one for one in found if one.run == name]
    if not named:
        raise NotFoundError(
            f"there is no stack of {name!r}",
            remedy="It was removed, or its lease is over: `start_run` with `again` raises a new one.",
        )
    return named[-1]


async def refuse_unless_own_run(visit: Visit, run: Run) -> None:
    """Refuse to end what another asked for. One's own: asked for by oneself, or of a branch that one has claimed."""
    if visit.caller.role is Role.ADMIN or run.principal == visit.caller.principal:
        return
    if await _works_on(visit, run.repository, run.source.branch or ""):
        return
    raise RefusedError(
        f"run {run.id} is {run.principal}'s", remedy="Leave it, or ask them; an administrator can end it."
    )


async def refuse_unless_own_stack(visit: Visit, info: NamespaceInfo) -> None:
    """Refuse to change or remove a stack that another's run left."""
    row = await visit.world.store.find_run(info.run, attempt=attempt_of(info.name, info.run))
    if row is not None:
        await refuse_unless_own_run(visit, row.run)
    elif visit.caller.role is not Role.ADMIN:
        raise RefusedError(f"nobody knows whose {info.name} is", remedy="An administrator can remove it.")


async def _works_on(visit: Visit, repository: str, branch: str) -> bool:
    tracking = visit.site.tracking
    if tracking is None or not branch:
        return False
    now = visit.world.clock.now()
    claims = await tracking.claims.claims(repositories=(repository,))
    mine = (one for one in claims if one.principal == visit.caller.principal and not one.is_over(now))
    return any(one.branch == branch for one in mine)


def _sees(visit: Visit, info: NamespaceInfo) -> bool:
    """Tell whether it is a stack that the caller sees. An environment is none: it is released, not deleted."""
    if info.lease is None:
        return not visit.caller.repositories
    if info.lease.is_environment:
        return False
    return visit.caller.reaches(info.lease.repository)


def _no_run(name: str) -> NotFoundError:
    return NotFoundError(
        f"there is no run {name!r}",
        remedy="`start_run` answers with the id of the run of a commit; use that.",
    )


def _no_environment(name: str) -> NotFoundError:
    return NotFoundError(
        f"there is no environment {name!r}",
        remedy="`request_environment` answers with the id of one; asking again for the same issue finds yours.",
    )
