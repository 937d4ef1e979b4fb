"""Logs on a run's page: the last lines in the page itself, all of them as they come, and as plain text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from conductor.domain.report import LogLine
from conductor.operations.following import LogPosition
from conductor.ports.store import RunRow
from conductor.web.api import evidence
from conductor.web.api.evidence import LastEventId, Workload
from conductor.web.api.visible import LatestRun, ThatRun
from conductor.web.pages.ansi import Piece, pieces
from conductor.web.pages.rendering import PageRoute
from conductor.web.site import Caller, Reader
from conductor.web.streams import EventStream, frame, frames, place_of, place_text

router = APIRouter(prefix="/runs/{run}", route_class=PageRoute, include_in_schema=False)
SHOWN = 200
"""So many lines stand in the page itself, for who has no JavaScript."""
After = Annotated[str, Query(max_length=20_000, description="Where a reader was that lost its connection.")]

Drawn = tuple[str, str, int, Sequence[Piece]]
"""Workload, time of day, whether it is of stderr, and the pieces of the line."""


@router.get("/logs")
async def text(row: ThatRun, caller: Reader, workload: Workload = None) -> Response:
    """Give all of it as plain text."""
    return await evidence.logs(row, caller, workload=workload, tail=None, form="text")


@router.get("/logs/stream")
async def stream(
    row: LatestRun,
    caller: Reader,
    workload: Workload = None,
    after: After = "",
    last_event_id: LastEventId = None,
) -> EventStream:
    """Follow what is written: drawn lines in each frame, with the place from which to go on."""
    latest = row.run.attempt
    given = last_event_id or after
    place = place_of(given, latest=latest) if given else LogPosition(attempt=latest)
    return EventStream(frames(caller.site.following.lines(row.run.id, place, workload=workload), _frame))


@router.get("/changes")
async def changes(row: LatestRun, caller: Reader, last_event_id: LastEventId = None) -> EventStream:
    """Tell that something changed: the page asks for its parts then. The last number told is where to go on."""
    given = last_event_id or ""
    after = int(given) if given.isdecimal() and len(given) < 10 else 0  # noqa: PLR2004 -- digits of a number of ours
    told = caller.site.following.events(row.run.id, after=after)
    return EventStream(frames(told, lambda _, number: frame("changed", b"{}", number)))


async def last_lines(caller: Caller, row: RunRow) -> Sequence[Drawn]:
    """Return the last lines of all workloads, drawn."""
    lines = caller.site.world.evidence.read_log(row.run.id, row.run.attempt, tail=SHOWN)
    return [drawn(line) async for line in lines]


def drawn(line: LogLine) -> Drawn:
    """Make of a line what a page draws."""
    return line.workload, f"{line.at:%H:%M:%S}", int(line.stream == "stderr"), pieces(line.text)


def _frame(told: Sequence[LogLine], after: LogPosition) -> bytes:
    data = json.dumps([drawn(line) for line in told], ensure_ascii=False, separators=(",", ":"))
    return frame("lines", data.encode(errors="replace"), place_text(after))
