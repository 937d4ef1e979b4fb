"""Runs: start one, wait for its verdict, run again what failed, stop it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing, suppress
from typing import Annotated

from pydantic import Field

from conductor.domain.access import Role
from conductor.domain.event import Event
from conductor.domain.run import Stage, Status
from conductor.errors import ConductorError, ConflictError, NotFoundError, RefusedError, UsageError
from conductor.mcp import visible
from conductor.mcp.answers.runs import LONGEST_MESSAGE, Again, Begun, Cancelled, Standing
from conductor.mcp.arguments import Repository, RunName, Suffix
from conductor.mcp.fitting import largest
from conductor.mcp.happening import said
from conductor.mcp.offering import Offer
from conductor.mcp.starting import Wanted
from conductor.mcp.visit import Visit
from conductor.ports.store import RunRow

LONGEST_WAIT_SECONDS = 300
_TOLD = 10
"""So many of the latest happenings an answer repeats."""

Ref = Annotated[
    str,
    Field(
        max_length=300,
        description="A tag, a branch, or a commit of 40 digits, pushed. Empty, at a desk alone: the folder as it lies there.",
    ),
]
Patience = Annotated[
    float, Field(ge=0, le=LONGEST_WAIT_SECONDS, description="Seconds to wait at most; 0 only looks.")
]
After = Annotated[int, Field(ge=0, description="`after` of the answer before: only what came since is told.")]
Anew = Annotated[
    bool,
    Field(description="True: where the commit has its verdict, another attempt, with everything built anew."),
]


async def start_run(
    visit: Visit,
    *,
    repository: Repository,
    ref: Ref = "",
    secrets_of: Suffix = "qa",
    again: Anew = False,
) -> Begun:
    """Run a commit's integration tests in a QA stack of its own; answers at once with the run's id.

    Use it when your change is pushed (`push_branch` answers with the commit), also to find the run that a pushed tag began: a commit
    that is at work is joined, and one that has its verdict is answered with that run, so that calling twice does no harm. Then call
    `wait_for_run`. Needs the role run.
    """
    visit.needs(Role.RUN)
    visible.the_repository(visit, repository)
    if not ref and not visit.site.starting.takes_folders:
        raise UsageError(
            "a server runs commits that were pushed", remedy="Give `ref`: a tag, a branch or a commit."
        )
    location = (await visible.place_of(visit, repository))[0] if visit.site.starting.takes_folders else ""
    wanted = Wanted(repository=repository, ref=ref, location=location, environment=secrets_of, again=again)
    accepted = await visit.site.starting.start(wanted, principal=visit.caller.principal)
    detail = f"attempt {accepted.run.attempt}" + ("" if accepted.is_new else ", joined")
    await visit.did_to("run.request", accepted.run, detail=detail)
    return Begun.of(accepted.run, is_new=accepted.is_new)


async def wait_for_run(
    visit: Visit, run: RunName, timeout_seconds: Patience = 45, after: After = 0
) -> Standing:
    """Wait until a run has its verdict, or the time is over; answers where it stands either way.

    Use it after `start_run`. It tells progress while it waits, where the client asks for that. Without a verdict call it again with
    `after` of the answer; a run takes minutes. With `timeout_seconds` 0 it only looks.
    """
    row = await visible.find_run(visit, run)
    latest = Latest(visit, after)
    await latest.catch_up(row.run.id)
    if row.status is not Status.ENDED:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await latest.follow(row.run.id)
    row = await visible.find_run(visit, row.run.id)
    return largest(
        LONGEST_MESSAGE,
        lambda room: Standing.of(row, happened=latest.lines, after=latest.after, room=room),
        least=50,
    )


async def rerun_failed(visit: Visit, run: RunName) -> Again:
    """Run again what failed in a run that has ended, at the same commit: the failed tests alone where that can be done, else all of them.

    Use it for a failure that may be chance (look at `test_history`), or where something outside was mended. It does not take in new
    commits: for a fix push it and call `start_run`. Then call `wait_for_run`. Needs the role run.
    """
    visit.needs(Role.RUN)
    row = await visible.find_run(visit, run)
    attempt, why = await _attempt(visit, row)
    await visit.did_to("run.again", row.run, detail=f"attempt {attempt}")
    return Again(
        run=row.run.id,
        attempt=attempt,
        failed_only=not why,
        why=why,
        next=f"wait_for_run(run={row.run.id!r})",
    )


async def cancel_run(visit: Visit, run: RunName) -> Cancelled:
    """Stop a run that you asked for, waiting or at work. Its end has a report, as every end.

    Use it when its verdict is of no use any more; a newer push to its branch does it by itself. Only runs of your own or of a branch
    that you have claimed. Needs the role run.
    """
    visit.needs(Role.RUN)
    row = await visible.find_run(visit, run)
    await visible.refuse_unless_own_run(visit, row.run)
    begun = await visit.site.starting.cancel(row, principal=visit.caller.principal)
    await visit.did_to("run.cancel", row.run)
    return Cancelled(run=row.run.id, begun=begun)


class Latest:
    """The latest happenings of a run, told as they come."""

    def __init__(self, visit: Visit, after: int) -> None:
        self._visit = visit
        self.after = after
        self.lines: deque[str] = deque(maxlen=_TOLD)

    async def catch_up(self, run: str) -> None:
        """Take in what is on record."""
        while events := await self._visit.world.store.events(run, after=self.after):
            await self._take(events)

    async def follow(self, run: str) -> None:
        """Take in what comes, until the run has ended for good."""
        async with aclosing(self._visit.site.following.events(run, after=self.after)) as told:
            async for some in told:
                await self._take(some.items)

    async def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            self.after = event.seq
            if text := said(event):
                self.lines.append(text)
                await self._visit.progress(event.seq, text)


async def _attempt(visit: Visit, row: RunRow) -> tuple[int, str]:
    """Begin the smallest attempt that can be made; returns its number, and why it is more than the failed tests."""
    starting, principal = visit.site.starting, visit.caller.principal
    try:
        accepted = await starting.again(row, principal=principal, stage=Stage.TESTS, failed_only=True)
    except ConflictError:
        raise
    except (NotFoundError, RefusedError, UsageError) as error:
        why = _short(error)
        accepted = await starting.again(row, principal=principal, stage=Stage.BUILD, failed_only=False)
        return accepted.run.attempt, why
    return accepted.run.attempt, ""


def _short(error: ConductorError) -> str:
    return error.message.partition("\n")[0][:300]


RUNS = (
    Offer(work=start_run, title="Start a run", repeatable=True),
    Offer(work=wait_for_run, title="Wait for a run", reads=True),
    Offer(work=rerun_failed, title="Run again what failed"),
    Offer(work=cancel_run, title="Cancel a run", destroys=True, repeatable=True),
)
