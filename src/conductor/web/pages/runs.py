"""Runs: the list with its filters, and the page of one."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from conductor.domain.event import Event
from conductor.domain.run import Stage, Status
from conductor.domain.verdict import Verdict
from conductor.errors import UsageError
from conductor.operations import request_run
from conductor.operations.places import places
from conductor.ports.store import Position, RunRow
from conductor.web.api import evidence as files
from conductor.web.api.visible import LatestRun, RunName, ThatRun, find_run, sees
from conductor.web.cursors import cursor_of, position_of
from conductor.web.pages import evidence
from conductor.web.pages.logs import last_lines
from conductor.web.pages.pipeline import pipeline
from conductor.web.pages.rendering import PageRoute, address, render
from conductor.web.pages.session import Form
from conductor.web.site import Caller, Reader, Runner

router = APIRouter(prefix="/runs", route_class=PageRoute, include_in_schema=False)
PAGE = 50
MOST_EVENTS = 5000
Words = Annotated[str, Query(max_length=255)]


@router.get("")
async def list_runs(
    *,
    request: Request,
    caller: Reader,
    repository: Words = "",
    branch: Words = "",
    state: Annotated[str, Query(max_length=30)] = "",
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """List runs, latest first; filtered by repository, branch, and how they stand or ended."""
    status, verdict = _state(state)
    rows = await caller.site.world.store.list_runs(
        repository=repository.strip() or None,
        repositories=caller.repositories,
        branch=branch.strip() or None,
        status=status,
        verdict=verdict,
        before=position_of(cursor),
        limit=PAGE + 1,
    )
    chosen = {"repository": repository, "branch": branch, "state": state}
    last = rows[PAGE - 1].run if len(rows) > PAGE else None
    older = last and cursor_of(Position(requested_at=last.requested_at, id=last.id, attempt=last.attempt))
    known = await caller.site.world.store.repositories()
    return render(
        request,
        "runs.html",
        rows=rows[:PAGE],
        chosen=chosen,
        states=[*(one for one in Status if one is not Status.ENDED), *Verdict],
        known=[one.name for one in known if caller.token.reaches(one.name)],
        older=urlencode({**chosen, "cursor": older}) if older else "",
        live=any(one.status is not Status.ENDED for one in rows) and cursor is None,
    )


@router.get("/{run}")  # noqa: FAST003 -- `ThatRun` and `LatestRun` read it
async def show(request: Request, row: ThatRun, caller: Reader) -> Response:
    """Show one run, the attempt of the address or the latest."""
    shown = await _shown(caller, row)
    lines = await last_lines(caller, row)
    return render(request, "run.html", lines=lines, account=await evidence.account(row), **shown)


@router.get("/{run}/live")  # noqa: FAST003 -- `ThatRun` and `LatestRun` read it
async def live(request: Request, row: ThatRun, caller: Reader) -> Response:
    """Give the parts of the page that change while a run is at work."""
    return render(request, "run_live.html", **await _shown(caller, row))


@router.get("/{run}/files/{name:path}")  # noqa: FAST003 -- `ThatRun` and `LatestRun` read it
async def download(name: str, row: ThatRun, caller: Reader) -> Response:
    """Give a file that the run left."""
    return await files.download(name, row, caller)


@router.post("/{run}/cancel")
async def cancel(run: RunName, caller: Runner, form: Form) -> Response:  # noqa: ARG001 -- its proof was looked at
    """Stop it."""
    row = await find_run(caller, run)
    await request_run.cancel(row, principal=caller.name)
    await caller.did("run.cancel", row.run.id, repository=row.run.repository)
    caller.site.has_news()
    return RedirectResponse(address("runs", row.run.id), status_code=303)


@router.post("/{run}/rerun")  # noqa: FAST003 -- `ThatRun` and `LatestRun` read it
async def rerun(row: LatestRun, caller: Runner, form: Form) -> Response:
    """Run it again: whole, from the stack on, the tests alone, or those alone that failed."""
    asked = form.get("from", "build")
    if asked not in (*Stage, "failed"):
        raise UsageError(f"there is no stage {asked!r}", remedy="Use the buttons of the run's page.")
    if row.status is not Status.ENDED:
        return RedirectResponse(address("runs", row.run.id), status_code=303)  # pressed twice: it is at work
    accepted = await request_run.run_again(
        caller.site.service,
        row,
        principal=caller.name,
        cause=f"page/{caller.token.id}/{form.get('once', '')[:40]}",
        from_stage=Stage.TESTS if asked == "failed" else Stage(asked),
        failed_only=asked == "failed",
    )
    detail = f"attempt {accepted.run.attempt}" + ("" if accepted.is_new else ", joined")
    await caller.did("run.again", row.run.id, repository=row.run.repository, detail=detail)
    caller.site.has_news()
    return RedirectResponse(address("runs", accepted.run.id), status_code=303)


def _state(text: str) -> tuple[Status | None, Verdict | None]:
    if text in list(Status):
        return Status(text), None
    return None, Verdict(text) if text in list(Verdict) else None


async def _shown(caller: Caller, row: RunRow) -> dict[str, Any]:
    site, run = caller.site, row.run
    store, key = site.world.store, (run.id, run.attempt)
    steps, results, report = await store.steps(*key), await store.results(*key), await store.find_report(*key)
    events = await _events(caller, row) if row.status is not Status.ENDED or report is None else ()
    return {
        "row": row,
        "run": run,
        "report": report,
        "latest": (await find_run(caller, run.id)).run.attempt,
        "picture": pipeline(row, steps, results, now=site.world.clock.now()),
        "results": results,
        "images": await store.images(*key),
        "services": evidence.services(events, report),
        "red": await evidence.red_cases(site, row, results, report),
        "stack": await _stack(caller, row),
        "files": (await files.artifacts(row, caller)).items,
        "place": await _place(caller, row),
        "by_class": evidence.by_class,
    }


async def _events(caller: Caller, row: RunRow) -> list[Event]:
    found = await caller.site.world.store.events(row.run.id, limit=MOST_EVENTS)
    own = f"{row.run.attempt}/"
    return [one for one in found if one.key.startswith(own)]


async def _stack(caller: Caller, row: RunRow) -> Any:
    there = await caller.site.world.engine.namespaces()
    return next((one for one in there if one.name == row.run.namespace and sees(caller, one)), None)


async def _place(caller: Caller, row: RunRow) -> Any:
    if row.status is not Status.QUEUED:
        return None
    service = caller.site.service
    waiting = await places(service, await service.queue.entries())
    return next((one for one in waiting if one.entry.run == row.run.id), None)
