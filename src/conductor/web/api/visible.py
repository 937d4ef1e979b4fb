"""What a caller sees: an object of another repository is not there, as far as they can tell."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query

from conductor.domain.lease import NamespaceInfo
from conductor.errors import NotFoundError, UsageError
from conductor.ports.environments import EnvironmentRow
from conductor.ports.issues import Tracking
from conductor.ports.store import RunRow
from conductor.web.site import Caller, Reader

RunName = Annotated[
    str,
    Path(
        description="The run's id, or an unambiguous beginning of it.",
        max_length=64,
        examples=["shop-k3v9qd"],
    ),
]
Attempt = Annotated[
    int | None, Query(ge=1, le=1_000_000, description="Which attempt; the latest where none is named.")
]


async def find_run(caller: Caller, name: str, attempt: int | None = None) -> RunRow:
    """Return a run. NotFoundError where there is none, or none that the caller sees."""
    try:
        row = await caller.site.world.store.find_run(name, attempt=attempt)
    except UsageError:
        if caller.repositories is not None:
            raise _missing(name) from None
        raise
    if row is None or not caller.token.reaches(row.run.repository):
        raise _missing(name)
    return row


async def the_run(run: RunName, caller: Reader, attempt: Attempt = None) -> RunRow:
    """Return the run of the address."""
    return await find_run(caller, run, attempt)


async def the_latest(run: RunName, caller: Reader) -> RunRow:
    """Return the latest attempt of the run of the address."""
    return await find_run(caller, run)


ThatRun = Annotated[RunRow, Depends(the_run)]
LatestRun = Annotated[RunRow, Depends(the_latest)]


async def find_stack(caller: Caller, name: str) -> NamespaceInfo:
    """Return a stack by its namespace or run. NotFoundError where there is none, or none that the caller sees."""
    found = [
        one
        for one in await caller.site.world.engine.namespaces()
        if sees(caller, one) and not one.is_environment
    ]
    named = [one for one in found if one.name == name] or [one for one in found if one.run == name]
    if not named:
        raise NotFoundError(f"there is no stack {name!r}", remedy="`conductor stacks list` shows them.")
    return named[-1]


def tracking_of(caller: Caller) -> Tracking:
    """Return what keeps track of issues. NotFoundError where the server knows no forge that has any."""
    tracking = caller.site.service.tracking
    if tracking is None:
        raise NotFoundError("this server keeps track of no issues", remedy="Connect a forge that has some.")
    return tracking


def repository_of(caller: Caller, name: str) -> str:
    """Return a repository's name. NotFoundError where the caller does not see it."""
    if not caller.token.reaches(name):
        raise NotFoundError(
            f"there is no repository {name!r}", remedy="`GET /api/v1/repositories` lists them."
        )
    return name


def sees(caller: Caller, info: NamespaceInfo) -> bool:
    """Tell whether a stack is one of the caller's. One whose mark cannot be read is nobody's in particular."""
    if info.lease is None:
        return caller.repositories is None
    return caller.token.reaches(info.lease.repository)


async def find_environment(caller: Caller, name: str) -> EnvironmentRow:
    """Return an environment. NotFoundError where there is none, or none that the caller sees."""
    kept = caller.site.world.environments
    try:
        row = await kept.find(name) if kept else None
    except UsageError:
        if caller.repositories is not None:
            raise _no_environment(name) from None
        raise
    if row is None or not caller.token.reaches(row.environment.repository):
        raise _no_environment(name)
    return row


def _no_environment(name: str) -> NotFoundError:
    return NotFoundError(f"there is no environment {name!r}", remedy="`conductor env list` shows them.")


def _missing(name: str) -> NotFoundError:
    return NotFoundError(f"there is no run {name!r}", remedy="`conductor runs list` shows the runs.")
