"""What a run leaves: events, logs, artifacts, test cases, report, digest."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import AsyncIterator, Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Header, Query
from pydantic import TypeAdapter
from starlette.responses import FileResponse, Response, StreamingResponse

from conductor.domain.event import Event
from conductor.domain.report import LogLine, Report
from conductor.domain.results import CaseStatus
from conductor.errors import NotFoundError
from conductor.operations.following import LogPosition
from conductor.operations.retention import refuse_removed
from conductor.ports.store import RunRow
from conductor.reports.as_json import line_data, to_json
from conductor.reports.digest import to_digest, to_digest_json
from conductor.reports.markdown import to_markdown
from conductor.web.api.runs import Cursor, Limit
from conductor.web.api.schemas import Artifact, Page, TestCase
from conductor.web.api.visible import LatestRun, ThatRun
from conductor.web.cursors import number_cursor, number_of
from conductor.web.site import Caller, Reader
from conductor.web.streams import EventStream, frame, frames, place_of, place_text

router = APIRouter(prefix="/runs/{run}", tags=["evidence"])

_EVENT = TypeAdapter(Event)
_REPORT = TypeAdapter(Report)
_SHOWN = ("artifacts/", "report.json", "report.md", "digest.md")
"""What of a run's files is for others."""
_SHED = "artifacts/"
"""What retention removes of them."""
_HARMLESS = frozenset(
    {
        "text/plain",
        "application/json",
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "video/webm",
        "video/mp4",
    }
)
"""Kinds that a browser shows and does not run. All others are bytes."""
_OTHER = "application/octet-stream"

_CHUNK = 500


class Writer(Protocol):
    """Writes a line of a log."""

    def __call__(self, line: LogLine, *, named: bool) -> str:
        """Make text of it; `named`: with its workload."""
        ...


Workload = Annotated[str | None, Query(max_length=200, description="Only this one's.")]
LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", max_length=20_000, description="`id` of the last frame that came."),
]
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
_TEXT = {"schema": {"type": "string"}}


@router.get("/events", operation_id="listEvents")
async def events(row: LatestRun, caller: Reader, limit: Limit = 100, cursor: Cursor = None) -> Page[Event]:
    """List what happened in a run, all attempts, in its order."""
    after = number_of(cursor) or 0
    found = await caller.site.world.store.events(row.run.id, after=after, limit=limit + 1)
    shown = list(found[:limit])
    return Page(items=shown, next=number_cursor(shown[-1].seq) if len(found) > limit else None)


@router.get(
    "/events/stream",
    operation_id="followEvents",
    response_class=EventStream,
    status_code=200,
    responses=STREAM,
)
async def follow_events(row: LatestRun, caller: Reader, last_event_id: LastEventId = None) -> EventStream:
    """Follow what happens in a run, from its beginning or from where one was, until it has ended: an event in each frame."""
    given = last_event_id or ""
    after = int(given) if given.isdecimal() and len(given) < 10 else 0  # noqa: PLR2004 -- digits of a number of ours
    told = caller.site.following.events(row.run.id, after=after)
    return EventStream(frames(told, _event_frames))


@router.get(
    "/logs",
    operation_id="readLogs",
    response_class=Response,
    responses={
        200: {
            "description": "Lines in the order of their times.",
            "content": {"text/plain": _TEXT, "application/x-ndjson": _TEXT},
        }
    },
)
async def logs(
    row: ThatRun,
    caller: Reader,
    workload: Workload = None,
    tail: Annotated[int | None, Query(ge=0, le=100_000, description="Only the last ones.")] = None,
    form: Annotated[
        Literal["text", "json"], Query(alias="format", description="`json`: an object a line.")
    ] = "text",
) -> Response:
    """Read what containers and builds wrote, as far as it is on record."""
    run, evidence = row.run, caller.site.world.evidence
    await refuse_removed(caller.site.world, run)
    known = await evidence.workloads(run.id, run.attempt)
    if workload and workload not in known:
        raise NotFoundError(
            f"run {run.id} has no log of {workload!r}", remedy=f"There are: {', '.join(known) or 'none yet'}."
        )
    lines = evidence.read_log(run.id, run.attempt, workload=workload, tail=tail)
    media_type = "text/plain; charset=utf-8" if form == "text" else "application/x-ndjson"
    write = _as_text if form == "text" else _as_json
    return StreamingResponse(_chunks(lines, write, named=workload is None), media_type=media_type)


@router.get(
    "/logs/stream", operation_id="followLogs", response_class=EventStream, status_code=200, responses=STREAM
)
async def follow_logs(
    row: LatestRun, caller: Reader, workload: Workload = None, last_event_id: LastEventId = None
) -> EventStream:
    """Follow what is written, from the beginning or from where one was, until the run has ended: an array of lines in each frame."""
    place = (
        place_of(last_event_id, latest=row.run.attempt)
        if last_event_id
        else LogPosition(attempt=row.run.attempt)
    )
    told = caller.site.following.lines(row.run.id, place, workload=workload)
    return EventStream(frames(told, _log_frame))


@router.get("/workloads", operation_id="listWorkloads")
async def workloads(row: ThatRun, caller: Reader) -> list[str]:
    """Name whose logs there are."""
    return list(await caller.site.world.evidence.workloads(row.run.id, row.run.attempt))


@router.get("/artifacts", operation_id="listArtifacts")
async def artifacts(row: ThatRun, caller: Reader) -> Page[Artifact]:
    """List the files that a run left."""
    evidence = caller.site.world.evidence
    folder = evidence.folder(row.run.id, row.run.attempt)
    names = await _files(caller, row)
    return Page(
        items=[
            Artifact(name=name, bytes=(folder / name).stat().st_size, media_type=media_type(name))
            for name in names
            if (folder / name).is_file()
        ]
    )


@router.get(
    "/artifacts/{name:path}",
    operation_id="downloadArtifact",
    response_class=FileResponse,
    responses={200: {"description": "The file.", "content": {"*/*": {"schema": {"type": "string"}}}}},
)
async def download(name: str, row: ThatRun, caller: Reader) -> FileResponse:
    """Download a file that a run left, under the name that the list gives."""
    if name.startswith(_SHED):
        await refuse_removed(caller.site.world, row.run)
    if name not in await _files(caller, row):
        raise NotFoundError(f"run {row.run.id} has no file {name!r}", remedy="`artifacts` lists them.")
    path = caller.site.world.evidence.folder(row.run.id, row.run.attempt) / name
    if path.is_symlink() or not path.is_file():
        raise NotFoundError(
            f"{name!r} of run {row.run.id} is gone", remedy="`artifacts` lists what is there."
        )
    return FileResponse(
        path,
        media_type=media_type(name),
        filename=PurePosixPath(name).name,
        content_disposition_type="attachment",
    )


@router.get("/tests", operation_id="listTests")
async def list_cases(
    *,
    row: ThatRun,
    caller: Reader,
    suite: Annotated[str | None, Query(max_length=200)] = None,
    status: CaseStatus | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[TestCase]:
    """List the test cases of a run, by suite, in their order."""
    results = await caller.site.world.store.results(row.run.id, row.run.attempt)
    wanted = [
        TestCase(suite=result.suite, case=case)
        for result in results
        for case in result.cases
        if suite in (None, result.suite) and status in (None, case.status)
    ]
    start = number_of(cursor) or 0
    rest = wanted[start + limit :]
    return Page(items=wanted[start : start + limit], next=number_cursor(start + limit) if rest else None)


@router.get(
    "/report",
    operation_id="getReport",
    response_class=Response,
    responses={
        200: {
            "description": "The report.",
            "content": {"application/json": {"schema": {"type": "object"}}, "text/markdown": _TEXT},
        }
    },
)
async def report(
    row: ThatRun,
    caller: Reader,
    form: Annotated[
        Literal["json", "markdown", "record"],
        Query(
            alias="format",
            description="`record`: all of it, as it is kept; its keys may change with the version.",
        ),
    ] = "json",
) -> Response:
    """Give the report of an attempt that has ended."""
    found = await _report(caller, row)
    if form == "record":
        return Response(_REPORT.dump_json(found), media_type="application/json")
    if form == "json":
        return Response(to_json(found, indent=None), media_type="application/json")
    return Response(to_markdown(found), media_type="text/markdown; charset=utf-8")


@router.get(
    "/digest",
    operation_id="getDigest",
    response_class=Response,
    responses={
        200: {
            "description": "At most 8 kB.",
            "content": {"application/json": {"schema": {"type": "object"}}, "text/markdown": _TEXT},
        }
    },
)
async def digest(
    row: ThatRun,
    caller: Reader,
    form: Annotated[Literal["json", "markdown"], Query(alias="format")] = "markdown",
) -> Response:
    """Give what an agent needs to go on, in at most 8 kB."""
    found = await _report(caller, row)
    if form == "json":
        return Response(to_digest_json(found), media_type="application/json")
    return Response(to_digest(found), media_type="text/markdown; charset=utf-8")


def media_type(name: str) -> str:
    """Return the kind of a file as far as it is harmless to show.

    >>> media_type("artifacts/shot.png"), media_type("artifacts/report.html"), media_type("artifacts/run.log")
    ('image/png', 'application/octet-stream', 'text/plain')
    """
    if name.endswith((".log", ".md", ".txt")):
        return "text/plain"
    guessed, encoding = mimetypes.guess_type(name, strict=True)
    return guessed if guessed in _HARMLESS and encoding is None else _OTHER


async def _files(caller: Caller, row: RunRow) -> Sequence[str]:
    files = await caller.site.world.evidence.files(row.run.id, row.run.attempt)
    return [name for name in files if name.startswith(_SHOWN)]


async def _report(caller: Caller, row: RunRow) -> Report:
    found = await caller.site.world.store.find_report(row.run.id, row.run.attempt)
    if found is None:
        raise NotFoundError(
            f"run {row.run.id} has no report yet (it is {row.status})", remedy="Wait for its end."
        )
    return found


def _event_frames(told: Sequence[Event], _: int) -> bytes:
    return b"".join(frame(str(one.kind), _EVENT.dump_json(one), one.seq) for one in told)


def lines_frame(told: Sequence[LogLine], place: object) -> bytes:
    """Write lines of a log as one frame."""
    data = json.dumps([line_data(line) for line in told], ensure_ascii=False, separators=(",", ":"))
    return frame("lines", data.encode(errors="replace"), place)


def _log_frame(told: Sequence[LogLine], after: LogPosition) -> bytes:
    return lines_frame(told, place_text(after))


async def _chunks(lines: AsyncIterator[LogLine], write: Writer, *, named: bool) -> AsyncIterator[bytes]:
    chunk: list[str] = []
    async for line in lines:
        chunk.append(write(line, named=named))
        if len(chunk) == _CHUNK:
            yield "".join(chunk).encode(errors="replace")
            chunk = []
    yield "".join(chunk).encode(errors="replace")


def _as_text(line: LogLine, *, named: bool) -> str:
    return f"{line.workload}: {line.text}\n" if named else f"{line.text}\n"


def _as_json(line: LogLine, *, named: bool) -> str:  # noqa: ARG001 -- it is named in any case
    return json.dumps(line_data(line), ensure_ascii=False) + "\n"
