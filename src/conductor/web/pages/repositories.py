"""A repository over its runs: how long they take, how many pass, which tests are red or flaky."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from conductor.domain.run import Status
from conductor.domain.verdict import Verdict
from conductor.errors import NotFoundError
from conductor.operations import history
from conductor.operations.history import Listed, Scope
from conductor.ports.store import RunRow
from conductor.web.pages.pipeline import columns
from conductor.web.pages.rendering import PageRoute, render
from conductor.web.site import Caller, Reader

router = APIRouter(prefix="/repositories", route_class=PageRoute, include_in_schema=False)
RUNS = 60
HEIGHT = 80
_FAIR = (Verdict.PASSED, Verdict.FAILED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One run in the chart."""

    row: RunRow
    seconds: float
    height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Trend:
    """Runs that ended, the earliest first; the part of fair ones that passed (None: there was none), and the usual time."""

    columns: Sequence[Column]
    pass_rate: float | None
    usual_seconds: float | None


@router.get("")
async def list_repositories(request: Request, caller: Reader) -> Response:
    """List the repositories that have runs, with the latest of each."""
    store = caller.site.world.store
    known = [one for one in await store.repositories() if caller.token.reaches(one.name)]
    latest = {
        one.name: next(iter(await store.list_runs(repository=one.name, limit=1)), None) for one in known
    }
    return render(request, "repositories.html", known=known, latest=latest)


@router.get("/{name:path}")
async def show(
    request: Request,
    name: Annotated[str, Path(max_length=200)],
    caller: Reader,
    branch: Annotated[str, Query(max_length=255)] = "",
) -> Response:
    """Show one over its latest runs, of one branch or of all."""
    known = next(
        (
            one
            for one in await caller.site.world.store.repositories()
            if one.name.lower() == name.lower() and caller.token.reaches(one.name)
        ),
        None,
    )
    if known is None:
        raise NotFoundError(f"there is no repository {name!r} with runs", remedy="Choose one of the list.")
    rows = await caller.site.world.store.list_runs(
        repository=known.name, branch=branch.strip() or None, limit=RUNS
    )
    scope = Scope(repository=known.name, branch=branch.strip() or None, runs=RUNS)
    red, flaky, slow = await _tests(caller, scope)
    return render(
        request,
        "repository.html",
        known=known,
        branch=branch,
        branches=sorted({one.run.source.branch for one in rows if one.run.source.branch}),
        trend=trend(rows),
        red=red,
        flaky=flaky,
        slow=slow,
        rows=rows[:10],
    )


def trend(rows: Sequence[RunRow]) -> Trend:
    """Work out how runs went, from rows with the latest first."""
    ended = [(one, one.started_at, one.ended_at) for one in reversed(rows) if one.status is Status.ENDED]
    timed = [(one, (end - begin).total_seconds()) for one, begin, end in ended if begin and end]
    heights = columns([seconds for _, seconds in timed], height=HEIGHT)
    fair = [one.outcome.verdict for one in rows if one.outcome and one.outcome.verdict in _FAIR]
    return Trend(
        columns=[
            Column(row=one, seconds=seconds, height=height)
            for (one, seconds), height in zip(timed, heights, strict=True)
        ],
        pass_rate=fair.count(Verdict.PASSED) / len(fair) if fair else None,
        usual_seconds=median(seconds for _, seconds in timed) if timed else None,
    )


async def _tests(caller: Caller, scope: Scope) -> tuple[Listed | None, Listed | None, Listed | None]:
    world = caller.site.world
    if world.history is None:
        return None, None, None
    return (
        await history.failing_tests(world, scope),
        await history.flaky_tests(world, scope),
        await history.slowest_tests(world, scope),
    )
