"""Runs: ask for one, list them, look at one, stop it, run it again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response

from conductor.domain.access import Role
from conductor.domain.run import Stage, Status
from conductor.domain.verdict import Verdict
from conductor.errors import UsageError
from conductor.operations import request_run
from conductor.operations.request_run import Asked
from conductor.ports.dashboards import Board, Of
from conductor.ports.queue import Accepted as Acceptance
from conductor.ports.store import Position, RunRow
from conductor.ports.world import World
from conductor.web.api.schemas import Accepted, AskAgain, AskForRun, Cancelled, Page, RunDetail
from conductor.web.api.visible import RunName, ThatRun, find_run
from conductor.web.cursors import cursor_of, position_of
from conductor.web.idempotency import Cause, OnceRoute
from conductor.web.problems import HttpProblem
from conductor.web.site import Caller, Reader, Runner

router = APIRouter(prefix="/runs", tags=["runs"], route_class=OnceRoute)
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the page before.")]


@router.get("", operation_id="listRuns")
async def list_runs(
    *,
    caller: Reader,
    repository: Annotated[str | None, Query(max_length=200)] = None,
    branch: Annotated[str | None, Query(max_length=255)] = None,
    status: Status | None = None,
    verdict: Verdict | None = None,
    since: Annotated[datetime | None, Query(description="Requested then or later; with its zone.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[RunRow]:
    """List runs, latest first; every attempt is one of its own."""
    if since is not None and since.tzinfo is None:
        raise UsageError("`since` has no zone", remedy="End it with Z, or an offset.")
    rows = await caller.site.world.store.list_runs(
        repository=repository,
        repositories=caller.repositories,
        branch=branch,
        status=status,
        verdict=verdict,
        since=since,
        before=position_of(cursor),
        limit=limit + 1,
    )
    return Page(items=list(rows[:limit]), next=_next(rows[limit - 1]) if len(rows) > limit else None)


@router.post("", operation_id="requestRun", status_code=202)
async def request(body: AskForRun, caller: Runner, cause: Cause, response: Response) -> Accepted:
    """Ask for a run. A commit that is at work is joined; one whose run has ended gets another attempt."""
    if not caller.token.reaches(body.repository):
        raise HttpProblem(404, f"there is no repository {body.repository!r}", remedy="Use another token.")
    if body.location and not caller.token.role.includes(Role.ADMIN):
        raise HttpProblem(403, "naming a location needs the role admin", remedy="Leave it out.")
    asked = Asked(
        repository=body.repository,
        ref=body.ref,
        location=body.location or "",
        environment=body.environment,
        cleanup=body.cleanup,
        keep_for=timedelta(seconds=body.keep_for_seconds) if body.keep_for_seconds else None,
        variables=tuple(body.variables.items()),
        priority=body.priority,
    )
    accepted = await request_run.request_run(caller.site.service, asked, principal=caller.name, cause=cause)
    return await _accepted(caller, accepted, "run.request", response)


@router.get("/{run}", operation_id="getRun")  # noqa: FAST003 -- `ThatRun` reads it
async def get(row: ThatRun, caller: Reader) -> RunDetail:
    """Show one run, its latest attempt where none is named."""
    store, key = caller.site.world.store, (row.run.id, row.run.attempt)
    report = await store.find_report(*key)
    latest = await find_run(caller, row.run.id)
    return RunDetail(
        row=row,
        attempts=latest.run.attempt,
        steps=list(await store.steps(*key)),
        results=[replace(result, cases=()) for result in await store.results(*key)],
        images=list(await store.images(*key)),
        links=dict(report.links) if report else _links(caller.site.world, row.run.id),
    )


def _links(world: World, run: str) -> dict[str, str]:
    """Say where there is something to be seen of a run that has no report yet."""
    return {"dashboard": world.dashboards.link(Board(Of.RUN, run))} if world.dashboards else {}


@router.post("/{run}/cancel", operation_id="cancelRun", status_code=202)
async def cancel(run: RunName, caller: Runner) -> Cancelled:
    """Stop a run, waiting or at work. Its end has a report, as every end."""
    row = await find_run(caller, run)
    begun = await request_run.cancel(row, principal=caller.name)
    await caller.did("run.cancel", row.run.id, repository=row.run.repository)
    caller.site.has_news()
    return Cancelled(run=row.run.id, begun=begun)


@router.post("/{run}/retry", operation_id="retryRun", status_code=202)
async def retry(run: RunName, caller: Runner, cause: Cause, response: Response) -> Accepted:
    """Run everything anew at the same commit: another attempt of a run that has ended."""
    return await _again(caller, run, AskAgain(from_stage=Stage.BUILD), cause, response)


@router.post("/{run}/rerun", operation_id="rerunRun", status_code=202)
async def rerun(run: RunName, body: AskAgain, caller: Runner, cause: Cause, response: Response) -> Accepted:
    """Run a part of it again: the tests in the kept stack, or all from the stack or the builds on."""
    return await _again(caller, run, body, cause, response)


@router.post("/{run}/rerun-failed", operation_id="rerunFailed", status_code=202)
async def rerun_failed(run: RunName, caller: Runner, cause: Cause, response: Response) -> Accepted:
    """Run the tests alone that failed, in the kept stack."""
    return await _again(caller, run, AskAgain(failed_only=True), cause, response)


async def _again(caller: Caller, name: str, asked: AskAgain, cause: str, response: Response) -> Accepted:
    row = await find_run(caller, name)
    accepted = await request_run.run_again(
        caller.site.service,
        row,
        principal=caller.name,
        cause=cause,
        from_stage=asked.from_stage,
        failed_only=asked.failed_only,
    )
    return await _accepted(caller, accepted, "run.again", response)


async def _accepted(caller: Caller, accepted: Acceptance, what: str, response: Response) -> Accepted:
    run = accepted.run
    detail = f"attempt {run.attempt}" + ("" if accepted.is_new else ", joined")
    await caller.did(what, run.id, repository=run.repository, detail=detail)
    caller.site.has_news()
    href = f"/api/v1/runs/{run.id}"
    response.headers["Location"] = href
    return Accepted(run=run.id, attempt=run.attempt, is_new=accepted.is_new, href=href)


def _next(row: RunRow) -> str:
    run = row.run
    return cursor_of(Position(requested_at=run.requested_at, id=run.id, attempt=run.attempt))
