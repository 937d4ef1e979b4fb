"""Development environments: a workspace for an issue, worked in by commands and files, pushed from, released."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from conductor.domain.access import Role
from conductor.domain.environment import CHECKOUT, Environment, EnvironmentStatus
from conductor.errors import UsageError
from conductor.mcp import visible
from conductor.mcp.answers.environments import (
    LONGEST_MESSAGE,
    Executed,
    Extended,
    FilePart,
    Place,
    PushedBranch,
    Released,
    Written,
)
from conductor.mcp.arguments import EnvironmentName, Hours, Offset, Repository, Suffix
from conductor.mcp.fitting import largest, line
from conductor.mcp.offering import Offer
from conductor.mcp.visit import Visit
from conductor.operations import environments, issues
from conductor.operations.environments import EnvironmentRequest
from conductor.operations.ownership import refuse_unless_own
from conductor.ports.environments import EnvironmentRow
from conductor.reports.readable import clean, cut_middle

LONGEST_COMMAND_SECONDS = 300
_MOST_OUTPUT = 3500
_MOST_FILE = 4000
_LARGEST_FILE_BYTES = 500_000

Path = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1000,
        description="A file's path: relative to the repository's folder, or absolute.",
        examples=["src/app.py"],
    ),
]


async def request_environment(
    visit: Visit,
    *,
    repository: Repository,
    issue: Annotated[
        int | None, Field(ge=1, description="The issue that you claimed; it names the branch.")
    ] = None,
    branch: Annotated[
        str, Field(max_length=200, description="The branch of the work, where there is no issue.")
    ] = "",
    base: Annotated[
        str, Field(max_length=200, description="What the work begins from; empty: the default branch.")
    ] = "",
    secrets_of: Suffix = "dev",
    hours: Annotated[
        float | None,
        Field(gt=0, le=168, description="How long it lives; the file's lease where none is named."),
    ] = None,
) -> Place:
    """Ask for a development environment: a workspace with the repository on a branch of its own, its tools and its secrets.

    Use it after `claim_issue`, with the issue's number. Asking again for the same issue answers with the same environment. It takes
    from seconds to minutes: `show_environment` waits until it is ready. Needs the role run.
    """
    visit.needs(Role.RUN)
    visible.the_repository(visit, repository)
    tracking = visit.site.tracking
    location, hosting = await visible.place_of(visit, repository)
    asked = EnvironmentRequest(
        repository=repository if hosting else "",
        location=location,
        hosting=hosting,
        principal=visit.caller.principal,
        issue=issue,
        branch=branch,
        base=base,
        environment=secrets_of,
        keep_for=timedelta(hours=hours) if hours else None,
    )
    if tracking and hosting:
        asked = await environments.for_issue(tracking, asked)
    row = await environments.request(visit.world, asked)
    environment = row.environment
    await _renew_claim(visit, environment)
    await visit.did("environment.request", environment.id, repository=environment.repository)
    return _shown(row)


async def show_environment(
    visit: Visit,
    environment: EnvironmentName,
    wait_seconds: Annotated[
        float, Field(ge=0, le=300, description="Wait so long for it to be ready; 0 only looks.")
    ] = 0,
) -> Place:
    """Tell how an environment stands: branch, status, what failed, names of its secrets, addresses for people, when it is removed.

    Use it after `request_environment`, with `wait_seconds` until it is ready, and whenever something in it does not answer.
    """
    row = await visible.find_environment(visit, environment)
    if wait_seconds:
        row = await environments.wait(
            visit.world, row.environment.id, timeout=timedelta(seconds=wait_seconds)
        )
    return _shown(row)


async def exec_in_environment(
    visit: Visit,
    *,
    environment: EnvironmentName,
    command: Annotated[
        str, Field(min_length=1, max_length=20_000, description="For a POSIX shell, such as `npm test`.")
    ],
    folder: Annotated[
        str, Field(max_length=1000, description="Where to run it; empty: the repository's folder.")
    ] = "",
    stdin: Annotated[str, Field(max_length=200_000, description="What it reads on standard input.")] = "",
    timeout_seconds: Annotated[
        float, Field(gt=0, le=LONGEST_COMMAND_SECONDS, description="Then it is ended, with 124.")
    ] = 50,
) -> Executed:
    """Run a command in your environment's workspace and get what it printed, and its exit code.

    Use it to look around, build, run unit tests, and commit (`git commit`; `push_branch` pushes, the workspace itself cannot). Of long
    output beginning and end are shown: print less, or into a file and `read_file` it. What takes longer goes into the background, with
    its output in a file. Only your own environments. Needs the role run.
    """
    row = await _awake(visit, environment)
    answered = await environments.execute(
        visit.world,
        row.environment.id,
        ("sh", "-c", command),
        stdin=stdin.encode(),
        timeout=timedelta(seconds=timeout_seconds),
        cwd=folder,
    )
    out, err = _text(answered.stdout), _text(answered.stderr)

    def shown(room: int) -> Executed:
        errors = cut_middle(err, max(room // 3, room - len(out)))
        output = cut_middle(out, max(room - len(errors), 0))
        return Executed(
            exit_code=answered.exit_code,
            stdout=output,
            stderr=errors,
            left_out_bytes=max(0, len(out) - len(output)) + max(0, len(err) - len(errors)),
        )

    await visit.did("environment.exec", row.environment.id, repository=row.environment.repository)
    return largest(_MOST_OUTPUT, shown)


async def read_file(visit: Visit, environment: EnvironmentName, path: Path, offset: Offset = 0) -> FilePart:
    """Read a text file of your environment's workspace, from a character on.

    Use it rather than `cat` for what may be long: `next` is the `offset` to go on with. Only your own environments. Needs the role run.
    """
    row = await _awake(visit, environment)
    content = await environments.read_file(visit.world, row.environment.id, path)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise UsageError(
            f"{path} is no text ({len(content)} bytes)",
            remedy=f"Look at it by a command: exec_in_environment with `file {shlex.quote(path)}`.",
        ) from None
    rest = text[offset : offset + _MOST_FILE]

    def part(number: int) -> FilePart:
        end = offset + number
        return FilePart(
            path=line(path, 300),
            content=rest[:number],
            offset=offset,
            total=len(text),
            next=end if end < len(text) else None,
        )

    return largest(len(rest), part)


async def write_file(
    visit: Visit,
    *,
    environment: EnvironmentName,
    path: Path,
    content: Annotated[str, Field(max_length=_LARGEST_FILE_BYTES, description="The whole file.")],
) -> Written:
    """Write a whole text file in your environment's workspace; folders on the way are made, what was there is replaced.

    Use it for new files and small ones; change large ones by a command (`sed`, `git apply` with `stdin`). Only your own environments.
    Needs the role run.
    """
    row = await _awake(visit, environment)
    data = content.encode()
    await environments.write_file(visit.world, row.environment.id, path, data)
    return Written(path=line(path, 300), size_bytes=len(data))


async def push_branch(
    visit: Visit,
    *,
    environment: EnvironmentName,
    run_tests: Annotated[
        bool, Field(description="Push the branch's own trigger tag too: it starts a run of the commit.")
    ] = True,
    tag: Annotated[
        str, Field(max_length=200, description="Another tag than that, such as run-integration-tests-12.")
    ] = "",
) -> PushedBranch:
    """Push what is committed on the environment's branch to the forge, with a tag that starts a run unless you say otherwise.

    Use it when unit tests pass. It never overwrites what another pushed to the branch. Then `start_run` with the commit that it
    answers: that finds the run of the tag, or begins it. Only your own environments. Needs the role run.
    """
    row = await _awake(visit, environment)
    wanted = tag or (environments.trigger_tag(row.environment) if run_tests else "")
    pushed = await environments.push(visit.world, row.environment.id, tag=wanted or None)
    await _renew_claim(visit, row.environment)
    repository = row.environment.repository
    detail = f"{pushed.branch} at {pushed.commit}" + (f", {pushed.tag}" if pushed.tag else "")
    await visit.did("environment.push", row.environment.id, repository=repository, detail=detail)
    return PushedBranch(
        branch=pushed.branch,
        commit=pushed.commit,
        tag=pushed.tag or "",
        next=f"start_run(repository={repository!r}, ref={pushed.commit!r})",
    )


async def extend_environment(visit: Visit, environment: EnvironmentName, hours: Hours = 4) -> Extended:
    """Let your environment stand longer: from its end, or from now, whichever is later.

    Use it when the work takes longer than its lease. Only your own environments. Needs the role run.
    """
    row = await _own(visit, environment)
    await _renew_claim(visit, row.environment)
    lease = await environments.extend(visit.world, row.environment.id, by=timedelta(hours=hours))
    await visit.did(
        "environment.extend", row.environment.id, repository=row.environment.repository, detail=f"{hours:g} h"
    )
    return Extended(environment=row.environment.id, expires_at=lease.expires_at)


async def release_environment(visit: Visit, environment: EnvironmentName) -> Released:
    """Remove your environment with all that is in it; what was not pushed is lost.

    Use it when the work is pushed and its verdict is there, or when you give up. Only your own environments. Needs the role run.
    """
    row = await _own(visit, environment)
    state = await environments.release(visit.world, row.environment.id)
    await visit.did("environment.release", row.environment.id, repository=row.environment.repository)
    return Released(environment=row.environment.id, status=state.status.value)


async def _own(visit: Visit, name: str) -> EnvironmentRow:
    """Return an environment that the caller may work in. What is in it is its principal's alone: secrets are."""
    visit.needs(Role.RUN)
    row = await visible.find_environment(visit, name)
    owner = row.environment.principal
    refuse_unless_own(row.environment.id, owner, principal=visit.caller.principal, role=visit.caller.role)
    return row


async def _awake(visit: Visit, name: str) -> EnvironmentRow:
    """Return an environment that the caller may work in, woken where it sleeps."""
    row = await _own(visit, name)
    if row.state.status is EnvironmentStatus.SLEEPING:
        await environments.wake(visit.world, row.environment.id)
    return row


async def _renew_claim(visit: Visit, environment: Environment) -> None:
    """Let the claim on its issue last longer: there is work on it."""
    if visit.site.tracking and environment.issue:
        await issues.work_on(
            visit.site.tracking,
            environment.repository,
            environment.issue,
            principal=environment.principal,
            environment=environment.id,
        )


def _shown(row: EnvironmentRow) -> Place:
    return largest(LONGEST_MESSAGE, lambda room: Place.of(row, CHECKOUT, room), least=10)


def _text(output: bytes) -> str:
    return clean(output.decode(errors="replace")).strip("\n")


ENVIRONMENTS = (
    Offer(work=request_environment, title="Ask for an environment", repeatable=True),
    Offer(work=show_environment, title="Show an environment", reads=True),
    Offer(work=exec_in_environment, title="Run a command in an environment", destroys=True),
    Offer(work=read_file, title="Read a file of an environment", reads=True),
    Offer(work=write_file, title="Write a file of an environment", destroys=True, repeatable=True),
    Offer(work=push_branch, title="Push an environment's branch", repeatable=True),
    Offer(work=extend_environment, title="Extend an environment"),
    Offer(work=release_environment, title="Release an environment", destroys=True, repeatable=True),
)
