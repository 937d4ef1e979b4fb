"""Development environments: asked for, looked at, worked in, pushed from, extended, put to sleep, released."""

from __future__ import annotations

import asyncio
import getpass
import secrets as randomness
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from conductor.domain.claim import branch_for
from conductor.domain.cost import Cost
from conductor.domain.environment import (
    WORKSPACE_SERVICE,
    Environment,
    EnvironmentState,
    EnvironmentStatus,
    WorkspaceKind,
)
from conductor.domain.event import Event, Kind, StepRecord
from conductor.domain.lease import Lease, NamespaceStatus
from conductor.domain.names import ALPHABET, slug
from conductor.domain.plan import DEFAULT_TAGS
from conductor.domain.report import LogLine
from conductor.domain.run import Source
from conductor.durable import Handle, start
from conductor.errors import ConflictError, NotFoundError, RefusedError, UsageError
from conductor.operations.start_run import repository_name
from conductor.ports.engine import ExecResult, Place
from conductor.ports.environments import EnvironmentRow
from conductor.ports.forge import Pushed, Work
from conductor.ports.issues import Tracking
from conductor.ports.terminal import Terminal
from conductor.ports.world import World
from conductor.steps.environments.record import environments_of, workspaces_of
from conductor.steps.room import remove_stack
from conductor.workflows.dev_environment import dev_environment, release_environment

LARGEST_ANSWER_BYTES = 1 << 20
"""What a command says beyond this is cut off, and said so."""
LARGEST_FILE_BYTES = 8 << 20
LONGEST_COMMAND = timedelta(minutes=30)
_LOOK_SECONDS = 0.2
_ID_LENGTH = 6
_NAME_LENGTH = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentRequest:
    """What is asked for. `location` is a folder or a URL; without a branch it is named after the issue, or after who asks."""

    location: str
    principal: str = ""
    repository: str = ""
    issue: int | None = None
    branch: str = ""
    base: str = ""
    environment: str = "dev"
    kind: WorkspaceKind | None = None
    keep_for: timedelta | None = None
    env_files: tuple[str, ...] = ()
    hosting: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentView:
    """An environment with the lease that its namespace bears and the steps that made it."""

    row: EnvironmentRow
    lease: Lease | None = None
    steps: tuple[StepRecord, ...] = ()
    cost: Cost | None = None


async def request(world: World, asked: EnvironmentRequest) -> EnvironmentRow:
    """Record it and start its provisioning; the same request again is the same environment, gone on with where its process died."""
    row = await environments_of(world).request(await _environment(world, asked))
    if row.state.status.is_under_way:
        await _begin(world, row.environment)
    return row


async def location_of(tracking: Tracking, repository: str) -> str:
    """Return where git finds a repository of the forges. NotFoundError where none of them has it."""
    for issues in tracking.issues.values():
        with suppress(NotFoundError):
            return await issues.location(repository)
    raise NotFoundError(
        f"there is no repository {repository!r} on any forge that is set up here",
        remedy="Set CONDUCTOR_REPOSITORIES or connect GitHub; or give its folder or address.",
    )


async def for_issue(tracking: Tracking, asked: EnvironmentRequest) -> EnvironmentRequest:
    """Name the branch of the work on its issue: the claim's, or what a claim would name it. ConflictError where another has the issue."""
    if asked.issue is None or asked.branch:
        return asked
    claim = await tracking.claims.find(asked.repository, asked.issue)
    if claim and not claim.is_over(tracking.clock.now()):
        if claim.principal != asked.principal:
            raise ConflictError(
                f"{asked.repository}#{asked.issue} is claimed by {claim.principal}",
                remedy="Claim another issue, or name a branch of your own.",
            )
        return replace(asked, branch=claim.branch)
    for issues in tracking.issues.values():
        with suppress(NotFoundError):
            issue = await issues.find_issue(asked.repository, asked.issue)
            return replace(asked, branch=branch_for(issue.number, issue.title), hosting=issues.name)
    return asked


async def wait(world: World, name: str, *, timeout: timedelta) -> EnvironmentRow:
    """Return it once it is ready or over, or as it stands when the time is over."""
    deadline = asyncio.get_running_loop().time() + timeout.total_seconds()
    while True:
        row = await _row(world, name)
        if not row.state.status.is_under_way or asyncio.get_running_loop().time() >= deadline:
            return row
        await asyncio.sleep(_LOOK_SECONDS)


async def list_environments(
    world: World, repositories: Collection[str] | None = None, *, ended: bool = False
) -> Sequence[EnvironmentView]:
    """Return them, latest first; those that are over only where they are asked for."""
    statuses = None if ended else [one for one in EnvironmentStatus if not one.is_over]
    rows = await environments_of(world).list_environments(repositories=repositories, statuses=statuses)
    leases = {lease.namespace: lease for lease in await world.store.leases()}
    return [EnvironmentView(row=row, lease=leases.get(row.environment.namespace)) for row in rows]


async def find(world: World, name: str) -> EnvironmentView:
    """Return one by its id, or an unambiguous beginning of it. NotFoundError where there is none."""
    row = await _row(world, name)
    leases = {lease.namespace: lease for lease in await world.store.leases()}
    return EnvironmentView(
        row=row,
        lease=leases.get(row.environment.namespace),
        steps=tuple(await world.store.steps(row.environment.id, row.environment.attempt)),
    )


async def execute(
    world: World,
    name: str,
    command: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: timedelta | None = None,
    cwd: str = "",
) -> ExecResult:
    """Run a command in the workspace. Values of secrets are masked in what it says; 124 where `timeout` ended it."""
    row = await _ready(world, name)
    workspaces = workspaces_of(world, row.environment)
    limit = min(timeout or LONGEST_COMMAND, LONGEST_COMMAND)
    result = await workspaces.exec(row.environment, command, stdin=stdin, timeout=limit, cwd=cwd)
    return replace(
        result,
        stdout=await _shown(world, row, result.stdout),
        stderr=await _shown(world, row, result.stderr),
    )


async def attach(world: World, name: str, command: Sequence[str], terminal: Terminal) -> int:
    """Run a command with somebody's terminal as its own; return its exit code."""
    row = await _ready(world, name)
    return await world.engine.attach(_place(row.environment), WORKSPACE_SERVICE, command, terminal)


async def logs(
    world: World, name: str, *, since: datetime | None = None, follow: bool = False
) -> AsyncGenerator[LogLine]:
    """Yield what its workspace wrote."""
    row = await _row(world, name)
    workspaces = workspaces_of(world, row.environment)
    async with aclosing(workspaces.logs(row.environment, since=since, follow=follow)) as lines:
        async for line in lines:
            yield replace(line, text=(await _shown(world, row, line.text.encode())).decode(errors="replace"))


async def read_file(world: World, name: str, path: str) -> bytes:
    """Return a file of the workspace, masked; `path` is relative to the repository's folder or absolute. UsageError where it is none."""
    row = await _ready(world, name)
    told = await workspaces_of(world, row.environment).exec(
        row.environment, ["head", "-c", str(LARGEST_FILE_BYTES + 1), "--", path], timeout=LONGEST_COMMAND
    )
    if told.exit_code != 0:
        why = told.stderr.decode(errors="replace").strip()[-200:]
        raise NotFoundError(
            f"reading {path} in {row.environment.id}: {why}", remedy="Name a file that is there."
        )
    if len(told.stdout) > LARGEST_FILE_BYTES:
        raise RefusedError(
            f"{path} has more than {LARGEST_FILE_BYTES >> 20} MiB",
            remedy="Look at a part of it with a command.",
        )
    return await _masked(world, row, told.stdout)


async def write_file(world: World, name: str, path: str, content: bytes) -> None:
    """Write a file of the workspace, with the folders that it needs."""
    row = await _ready(world, name)
    folder = str(PurePosixPath(path).parent)
    command = ["sh", "-c", 'mkdir -p -- "$1" && cat > "$2"', "sh", folder, path]
    told = await workspaces_of(world, row.environment).exec(
        row.environment, command, stdin=content, timeout=LONGEST_COMMAND
    )
    if told.exit_code != 0:
        why = told.stderr.decode(errors="replace").strip()[-200:]
        raise UsageError(f"writing {path} in {row.environment.id}: {why}", remedy="Choose another path.")


async def copy_in(world: World, name: str, path: str, archive: bytes) -> None:
    """Unpack a tar archive at `path`."""
    row = await _ready(world, name)
    await workspaces_of(world, row.environment).copy_in(row.environment, path, archive)


async def copy_out(world: World, name: str, path: str) -> AsyncIterator[bytes]:
    """Yield a tar archive of `path`, as it is there."""
    row = await _ready(world, name)
    async with aclosing(workspaces_of(world, row.environment).copy_out(row.environment, path)) as chunks:
        async for chunk in chunks:
            yield chunk


async def push(world: World, name: str, *, tag: str | None = None) -> Pushed:
    """Take the work branch's commits out of the workspace and push them, with a tag that starts a run where one is named.

    The workspace itself holds no credential. Raises ConflictError where nothing was committed, or where the branch has others' commits.
    """
    row = await _ready(world, name)
    environment = row.environment
    if environment.kind is not WorkspaceKind.PLAIN:
        raise UsageError(
            "a workspace of Coder pushes by itself", remedy="Run git push in it; then push the trigger tag."
        )
    workspaces = workspaces_of(world, environment)
    base = environment.source.commit or ""
    head = await workspaces.exec(
        environment, ["git", "rev-parse", "--verify", f"refs/heads/{environment.branch}"]
    )
    if head.exit_code != 0:
        raise ConflictError(
            f"the workspace has no branch {environment.branch} any more", remedy="Commit on that branch."
        )
    is_new = head.stdout.decode().strip() != base
    bundle = b""
    if is_new:
        made = await workspaces.exec(
            environment,
            ["git", "bundle", "create", "--quiet", "-", f"refs/heads/{environment.branch}", f"^{base}"],
            timeout=LONGEST_COMMAND,
        )
        if made.exit_code != 0:
            why = made.stderr.decode(errors="replace").strip()[-300:]
            raise ConflictError(
                f"packing the commits of {environment.branch}: {why}", remedy="Look with git status."
            )
        bundle = made.stdout
    message = f"Issue: #{environment.issue}" if environment.issue else f"Work of {environment.principal}"
    pushed = await world.forge.push(
        environment.source,
        Work(bundle=bundle, branch=environment.branch, base=base, tag=tag, message=message),
    )
    now = world.clock.now()
    data = {"text": f"pushed {pushed.branch} at {pushed.commit[:12]}" + (f" and {tag}" if tag else "")}
    await world.store.append(
        Event(run=environment.id, key=f"pushed/{now.isoformat()}", at=now, kind=Kind.NOTE, data=data)
    )
    return pushed


def trigger_tag(environment: Environment) -> str:
    """Name the tag that starts a run of this environment's branch, and of no other's.

    >>> from datetime import UTC, datetime
    >>> trigger_tag(Environment(id="e", repository="r", source=Source(location="/r"), branch="12-fix/it", principal="a",
    ...     requested_at=datetime.now(UTC)))
    'run-integration-tests-12-fix-it'
    """
    return f"{DEFAULT_TAGS[0]}-{slug_of_branch(environment.branch)}"


def slug_of_branch(branch: str) -> str:
    """Make a part of a tag's name of a branch's."""
    return "-".join(part for part in branch.replace("/", "-").split("-") if part)


async def extend(world: World, name: str, *, by: timedelta) -> Lease:
    """Let its lease end later by that much, from its end or from now, whichever is later."""
    row, lease = await _leased(world, name)
    end = max(lease.expires_at or world.clock.now(), world.clock.now()) + by
    return await _mark(world, row, replace(lease, expires_at=end))


async def sleep(world: World, name: str) -> Lease:
    """Stop its workspace and keep what it holds."""
    row, lease = await _leased(world, name)
    if row.state.status is EnvironmentStatus.SLEEPING:
        return lease
    await workspaces_of(world, row.environment).sleep(row.environment)
    return await _mark(
        world, row, replace(lease, status=NamespaceStatus.SLEEPING), status=EnvironmentStatus.SLEEPING
    )


async def wake(world: World, name: str) -> Lease:
    """Start its workspace again."""
    row, lease = await _leased(world, name)
    await workspaces_of(world, row.environment).wake(row.environment)
    return await _mark(
        world, row, replace(lease, status=NamespaceStatus.KEPT), status=EnvironmentStatus.READY
    )


async def release(world: World, name: str) -> EnvironmentState:
    """End it, wherever it stands, and return once nothing of it is left. Over already: nothing happens."""
    row = await _row(world, name)
    if row.state.status.is_over:
        return row.state
    handle: Handle[EnvironmentState] = await start(
        release_environment, row.environment, id=row.environment.release_id
    )
    return await handle.result()


async def remove_all(world: World) -> dict[str, int]:
    """Remove every environment that stands, by the marks alone; what was not pushed is gone. Returns the things removed of each."""
    found = [info for info in await world.engine.namespaces() if info.is_environment]
    return {info.run: await remove_stack(world, info) for info in found}


async def _begin(world: World, environment: Environment) -> None:
    now = environment.requested_at
    data = {
        "repository": environment.repository,
        "branch": environment.branch,
        "issue": environment.issue,
        "principal": environment.principal,
    }
    await world.store.append(
        Event(run=environment.id, key="requested", at=now, kind=Kind.ENVIRONMENT_CHANGED, data={"status": "requested", **data})
    )  # fmt: skip
    await start(dev_environment, environment, id=environment.workflow_id)


async def _environment(world: World, asked: EnvironmentRequest) -> Environment:
    principal = asked.principal or getpass.getuser()
    branch = asked.branch or (f"{asked.issue}-work" if asked.issue else f"work/{slug(principal)}")
    source, base = await _source(world, asked, branch)
    repository = asked.repository or repository_name(source.location)
    suffix = "".join(randomness.choice(ALPHABET) for _ in range(_ID_LENGTH))
    name = slug(repository.rstrip("/").rsplit("/", 1)[-1], length=_NAME_LENGTH)
    return Environment(
        id=f"{name}-env-{suffix}",
        repository=repository,
        source=source,
        branch=branch,
        principal=principal,
        requested_at=world.clock.now(),
        issue=asked.issue,
        base=base,
        environment=asked.environment,
        kind=asked.kind or world.workspace.kind,
        keep_for=asked.keep_for,
        env_files=asked.env_files,
        hosting=asked.hosting,
    )


async def _source(world: World, asked: EnvironmentRequest, branch: str) -> tuple[Source, str]:
    """Begin at the work branch, where it is there already; else at the base, or the default branch."""
    try:
        return await world.forge.resolve(asked.location, branch), asked.base
    except NotFoundError:
        source = await world.forge.resolve(asked.location, asked.base or None)
    if source.commit is None:
        raise UsageError(
            f"{asked.location} has no commits to begin at",
            remedy="Commit something, or give a git repository.",
        )
    return replace(source, dirty=False, tree=""), source.branch or asked.base


async def _row(world: World, name: str) -> EnvironmentRow:
    row = await environments_of(world).find(name)
    if row is None:
        raise NotFoundError(f"there is no environment {name!r}", remedy="`conductor env list` shows them.")
    return row


async def _ready(world: World, name: str) -> EnvironmentRow:
    row = await _row(world, name)
    if row.state.status is not EnvironmentStatus.READY:
        remedies = {
            EnvironmentStatus.SLEEPING: f"Wake it first: conductor env wake {row.environment.id}",
            EnvironmentStatus.FAILED: row.state.remedy or "Ask for another one.",
            EnvironmentStatus.RELEASED: "Ask for another one: conductor env request",
        }
        raise ConflictError(
            f"{row.environment.id} is {row.state.status}: {row.state.message or 'it cannot be worked in'}",
            remedy=remedies.get(row.state.status, "Wait until it is ready."),
        )
    return row


async def _leased(world: World, name: str) -> tuple[EnvironmentRow, Lease]:
    row = await _row(world, name)
    found = await world.engine.namespaces()
    lease = next((one.lease for one in found if one.name == row.environment.namespace), None)
    if lease is None or row.state.status.is_under_way:
        raise ConflictError(
            f"{row.environment.id} is {row.state.status} and has no lease yet or any more",
            remedy="Wait until it is ready, or ask for another one.",
        )
    return row, lease


async def _mark(
    world: World, row: EnvironmentRow, lease: Lease, *, status: EnvironmentStatus | None = None
) -> Lease:
    await world.engine.mark(lease)
    await world.store.save_lease(lease)
    state = replace(row.state, expires_at=lease.expires_at, status=status or row.state.status)
    await environments_of(world).set_state(row.environment, state)
    now = world.clock.now()
    data = {
        "status": str(lease.status),
        "expires_at": lease.expires_at.isoformat() if lease.expires_at else None,
    }
    await world.store.append(
        Event(
            run=row.environment.id,
            key=f"lease/{now.isoformat()}",
            at=now,
            kind=Kind.LEASE_CHANGED,
            subject=lease.namespace,
            data=data,
        )
    )
    return lease


async def _shown(world: World, row: EnvironmentRow, told: bytes) -> bytes:
    """Mask it, and cut off what is too much, saying so."""
    masked = await _masked(world, row, told)
    if len(masked) <= LARGEST_ANSWER_BYTES:
        return masked
    left = len(masked) - LARGEST_ANSWER_BYTES
    return masked[:LARGEST_ANSWER_BYTES] + f"\n[{left} more bytes are left out]\n".encode()


async def _masked(world: World, row: EnvironmentRow, told: bytes) -> bytes:
    """Hide values of secrets. RefusedError where they are not at hand, since then nothing could be hidden."""
    keys = row.state.secrets
    if not keys or not told:
        return told
    await world.secrets.recall(row.environment, {WORKSPACE_SERVICE: keys})
    mask = world.secrets.masker(row.environment.id)
    return mask(told.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def _place(environment: Environment) -> Place:
    return Place(namespace=environment.namespace, run=environment.id)
