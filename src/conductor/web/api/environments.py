"""Development environments: asked for, looked at, worked in, pushed from, and released."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from conductor.domain.environment import Environment
from conductor.domain.lease import Lease
from conductor.domain.report import LogLine
from conductor.errors import ConflictError
from conductor.operations import environments, issues
from conductor.operations.environments import EnvironmentRequest, EnvironmentView
from conductor.operations.ownership import refuse_unless_own
from conductor.ports.environments import EnvironmentRow
from conductor.ports.forge import Pushed
from conductor.web.api.evidence import STREAM, LastEventId, lines_frame
from conductor.web.api.schemas import AskForEnvironment, Command, Extend, Page, Printed, Push
from conductor.web.api.visible import find_environment, repository_of, tracking_of
from conductor.web.idempotency import Key, OnceRoute
from conductor.web.site import Caller, Reader, Runner
from conductor.web.streams import EventStream, frames

router = APIRouter(prefix="/environments", tags=["environments"], route_class=OnceRoute)
Named = Annotated[
    str,
    Path(
        max_length=64, description="Its id, or an unambiguous beginning of it.", examples=["shop-env-k3v9qd"]
    ),
]
FilePath = Annotated[
    str,
    Query(
        min_length=1,
        max_length=1000,
        pattern=r"^[^\x00]+$",
        description="Relative to the repository, or absolute.",
        examples=["docs/notes.md"],
    ),
]
_BYTES = "application/octet-stream"
_FILE = {_BYTES: {"schema": {"type": "string", "format": "binary"}}}
_LINKED: dict[int | str, dict[str, Any]] = {
    201: {"headers": {"Location": {"schema": {"type": "string"}, "description": "Where it is looked at."}}}
}


@router.get("", operation_id="listEnvironments")
async def list_environments(
    caller: Reader,
    *,
    ended: Annotated[bool, Query(description="Those that are over, too.")] = False,
) -> Page[EnvironmentView]:
    """List them, latest first."""
    found = await environments.list_environments(caller.site.world, caller.repositories, ended=ended)
    return Page(items=list(found))


@router.post("", operation_id="requestEnvironment", status_code=201, responses=_LINKED)
async def request(
    body: AskForEnvironment, caller: Runner, response: Response, _key: Key = None
) -> EnvironmentRow:
    """Ask for one; it is provisioned from now on. The same repository, issue or branch again is the same environment."""
    tracking = tracking_of(caller)
    repository = repository_of(caller, body.repository)
    asked = EnvironmentRequest(
        location=await environments.location_of(tracking, repository),
        repository=repository,
        principal=caller.name,
        issue=body.issue,
        branch=body.branch or "",
        base=body.base or "",
        environment=body.environment,
        kind=body.kind,
        keep_for=timedelta(seconds=body.keep_for_seconds) if body.keep_for_seconds else None,
    )
    row = await environments.request(caller.site.world, await environments.for_issue(tracking, asked))
    await _renew_claim(caller, row.environment)
    await caller.did("environment.request", row.environment.id, repository=repository)
    response.headers["Location"] = f"/api/v1/environments/{row.environment.id}"
    return row


@router.get("/{environment}", operation_id="getEnvironment")
async def get(
    environment: Named,
    caller: Reader,
    wait: Annotated[
        float, Query(ge=0, le=60, description="Answer once it is ready or over, or after so many seconds.")
    ] = 0,
) -> EnvironmentView:
    """Show one: where it stands, how long it lasts, what made it."""
    row = await find_environment(caller, environment)
    if wait:
        await environments.wait(caller.site.world, row.environment.id, timeout=timedelta(seconds=wait))
    return await environments.find(caller.site.world, row.environment.id)


@router.get("/{environment}/logs", operation_id="getEnvironmentLogs")
async def logs(
    environment: Named,
    caller: Reader,
    tail: Annotated[int, Query(ge=1, le=10_000, description="Only the last lines.")] = 1000,
) -> Page[LogLine]:
    """Give what its workspace wrote until now, the oldest line first. 409 where there is no workspace any more."""
    row = await _standing(caller, environment)
    lines: deque[LogLine] = deque(maxlen=tail)
    async for line in environments.logs(caller.site.world, row.environment.id):
        lines.append(line)
    return Page(items=list(lines))


@router.get(
    "/{environment}/logs/stream",
    operation_id="followEnvironmentLogs",
    response_class=EventStream,
    status_code=200,
    responses=STREAM,
)
async def follow_logs(environment: Named, caller: Reader, last_event_id: LastEventId = None) -> EventStream:
    """Follow what its workspace writes, from the first line or from where one was, until it stops: an array of lines in each frame."""
    row = await _standing(caller, environment)
    given = last_event_id or ""
    after = int(given) if given.isdecimal() and len(given) < 10 else 0  # noqa: PLR2004 -- digits of a number of ours
    lines = environments.logs(caller.site.world, row.environment.id, follow=True)
    return EventStream(frames(caller.site.following.counted(lines, after=after), lines_frame))


@router.get(
    "/{environment}/files",
    operation_id="readFileInEnvironment",
    response_class=Response,
    responses={200: {"description": "The file.", "content": _FILE}},
)
async def read_file(environment: Named, caller: Runner, path: FilePath) -> Response:
    """Read a file of its workspace, of 8 MiB at most. Only who made it, and admins. Values of secrets are masked in it."""
    row = await _own(caller, environment)
    content = await environments.read_file(caller.site.world, row.environment.id, path)
    return Response(content, media_type=_BYTES, headers={"Content-Disposition": "attachment"})


@router.put(
    "/{environment}/files",
    operation_id="writeFileInEnvironment",
    status_code=204,
    openapi_extra={"requestBody": {"required": True, "content": _FILE}},
)
async def write_file(environment: Named, caller: Runner, path: FilePath, request: Request) -> None:
    """Write a file of its workspace, of 1 MB at most, with the folders that it needs. Only who made it, and admins."""
    row = await _own(caller, environment)
    await environments.write_file(caller.site.world, row.environment.id, path, await request.body())
    await caller.did("environment.write", row.environment.id, repository=row.environment.repository)


@router.post("/{environment}/exec", operation_id="execInEnvironment")
async def execute(environment: Named, body: Command, caller: Runner) -> Printed:
    """Run a command in the repository's folder. Only who made it, and admins. Values of secrets are masked in what it prints."""
    row = await _own(caller, environment)
    answered = await environments.execute(
        caller.site.world,
        row.environment.id,
        body.command,
        stdin=body.stdin.encode(),
        timeout=timedelta(seconds=body.timeout_seconds),
        cwd=body.folder,
    )
    await caller.did("environment.exec", row.environment.id, repository=row.environment.repository)
    return Printed(
        exit_code=answered.exit_code,
        stdout=answered.stdout.decode(errors="replace"),
        stderr=answered.stderr.decode(errors="replace"),
    )


@router.post("/{environment}/push", operation_id="pushEnvironment")
async def push(environment: Named, body: Push, caller: Runner, _key: Key = None) -> Pushed:
    """Push the commits on its branch, with a tag where one is named. The workspace itself holds no credential."""
    row = await _own(caller, environment)
    tag = environments.trigger_tag(row.environment) if body.test else body.tag
    pushed = await environments.push(caller.site.world, row.environment.id, tag=tag)
    detail = f"{pushed.branch} at {pushed.commit}" + (f", {pushed.tag}" if pushed.tag else "")
    await caller.did(
        "environment.push", row.environment.id, repository=row.environment.repository, detail=detail
    )
    return pushed


@router.post("/{environment}/extend", operation_id="extendEnvironment")
async def extend(environment: Named, body: Extend, caller: Runner, _key: Key = None) -> Lease:
    """Let it last longer, from its end or from now, whichever is later."""
    row = await _own(caller, environment)
    lease = await environments.extend(
        caller.site.world, row.environment.id, by=timedelta(seconds=body.by_seconds)
    )
    await _renew_claim(caller, row.environment)
    return await _changed(caller, "environment.extend", lease)


@router.post("/{environment}/sleep", operation_id="sleepEnvironment")
async def sleep(environment: Named, caller: Runner, _key: Key = None) -> Lease:
    """Stop its workspace and keep what it holds."""
    row = await _own(caller, environment)
    lease = await environments.sleep(caller.site.world, row.environment.id)
    return await _changed(caller, "environment.sleep", lease)


@router.post("/{environment}/wake", operation_id="wakeEnvironment")
async def wake(environment: Named, caller: Runner, _key: Key = None) -> Lease:
    """Start its workspace again."""
    row = await _own(caller, environment)
    lease = await environments.wake(caller.site.world, row.environment.id)
    return await _changed(caller, "environment.wake", lease)


@router.delete("/{environment}", operation_id="releaseEnvironment")
async def release(environment: Named, caller: Runner) -> EnvironmentView:
    """End it; answered once nothing of it is left. What was not pushed is gone."""
    row = await _own(caller, environment)
    await environments.release(caller.site.world, row.environment.id)
    await caller.did("environment.release", row.environment.id, repository=row.environment.repository)
    return await environments.find(caller.site.world, row.environment.id)


async def _standing(caller: Caller, name: str) -> EnvironmentRow:
    row = await find_environment(caller, name)
    if row.state.status.is_over:
        raise ConflictError(
            f"{row.environment.id} is {row.state.status}", remedy="What its workspace wrote went with it."
        )
    return row


async def _own(caller: Caller, name: str) -> EnvironmentRow:
    row = await find_environment(caller, name)
    refuse_unless_own(
        row.environment.id, row.environment.principal, principal=caller.name, role=caller.token.role
    )
    return row


async def _renew_claim(caller: Caller, environment: Environment) -> None:
    """Let the claim on its issue last longer: there is work on it."""
    tracking = caller.site.service.tracking
    if tracking and environment.issue:
        await issues.work_on(
            tracking,
            environment.repository,
            environment.issue,
            principal=environment.principal,
            environment=environment.id,
        )


async def _changed(caller: Caller, what: str, lease: Lease) -> Lease:
    ends = lease.expires_at.isoformat() if lease.expires_at else "never"
    await caller.did(what, lease.run, repository=lease.repository, detail=f"{lease.status}, ends {ends}")
    return lease
