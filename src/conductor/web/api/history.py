"""Tests over the runs of a repository: flaky, slow, failing, the row of one; and the quarantine, which is its keepers' alone."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from conductor.domain.quarantine import Quarantined
from conductor.operations import history
from conductor.operations.history import Listed, Row, Scope
from conductor.web.api.schemas import Page, PutInQuarantine
from conductor.web.api.visible import repository_of
from conductor.web.idempotency import Key, OnceRoute
from conductor.web.site import Admin, Reader

router = APIRouter(prefix="/tests", tags=["tests"], route_class=OnceRoute)

Repository = Annotated[
    str, Query(max_length=300, description="Whose tests.", examples=["acme/shop"], min_length=1)
]
Name = Annotated[
    str,
    Query(
        max_length=2000,
        min_length=1,
        description="A test, as `name`, `class > name` or `suite: class > name`.",
        examples=["api: cart > adds"],
    ),
]


class By(StrEnum):
    """By what tests are chosen and ordered."""

    FAILING = "failing"
    FLAKY = "flaky"
    SLOWEST = "slowest"


def scope(
    caller: Reader,
    repository: Repository,
    branch: Annotated[str | None, Query(max_length=300, description="Only this branch's runs.")] = None,
    runs: Annotated[int, Query(ge=1, le=1000, description="How many runs are looked back upon.")] = 100,
) -> Scope:
    """Return the runs that are looked back upon. NotFoundError where the caller sees none of that repository."""
    repository_of(caller, repository)
    return Scope(repository=repository, branch=branch, runs=runs)


Looked = Annotated[Scope, Depends(scope)]


@router.get("", operation_id="listTestRecords")
async def list_tests(caller: Reader, scope: Looked, by: By = By.FAILING) -> Listed:
    """List tests that fail now (each since which run), that gave both results at one commit, or that take longest."""
    listing = {
        By.FAILING: history.failing_tests,
        By.FLAKY: history.flaky_tests,
        By.SLOWEST: history.slowest_tests,
    }
    return await listing[by](caller.site.world, scope)


@router.get("/history", operation_id="getTestHistory")
async def row(caller: Reader, scope: Looked, test: Name) -> Row:
    """Show one test over runs, the latest first."""
    return await history.row_of(caller.site.world, test, scope)


@router.get("/quarantine", operation_id="listQuarantine")
async def quarantined(caller: Reader, repository: Repository) -> Page[Quarantined]:
    """List the tests whose failures decide nothing; what is over, too."""
    repository_of(caller, repository)
    return Page(items=list(await history.quarantined(caller.site.world, repository=repository)))


@router.post("/quarantine", operation_id="quarantineTest", status_code=201)
async def put(body: PutInQuarantine, caller: Admin, _key: Key = None) -> Quarantined:
    """Have a test's failures decide nothing, for a reason and for a time. No commit and no role but admin can do this."""
    repository_of(caller, body.repository)
    entry = await history.quarantine(
        caller.site.world,
        body.test,
        repository=body.repository,
        reason=body.reason,
        until=caller.site.world.clock.now() + timedelta(seconds=body.for_seconds)
        if body.for_seconds
        else None,
        principal=caller.name,
    )
    await caller.did(
        "test.quarantine", history.in_words(entry.test), repository=body.repository, detail=body.reason
    )
    return entry


@router.delete("/quarantine", operation_id="releaseTest", status_code=204)
async def release(caller: Admin, repository: Repository, test: Name) -> None:
    """Have its failures count again."""
    repository_of(caller, repository)
    gone = await history.release(caller.site.world, test, repository=repository)
    await caller.did("test.release", history.in_words(gone), repository=repository)
