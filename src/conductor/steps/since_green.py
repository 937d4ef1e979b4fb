"""What changed since the last green run. No step: `write-report` asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from conductor.domain.history import SinceGreen, Tested, commits_between, newly_failing
from conductor.domain.run import Run
from conductor.domain.verdict import Outcome, Verdict
from conductor.ports.world import the_world

MAIN_BRANCHES = ("main", "master")
"""Where a branch was never green, these are compared with."""


async def since_green(run: Run, outcome: Outcome) -> SinceGreen | None:
    """Compare a run that did not pass with the last green one of its branch; None where there is nothing to compare."""
    history = the_world().history
    if history is None or outcome.verdict not in (Verdict.FAILED, Verdict.BROKEN):
        return None
    async for green in _greens(run):
        now = await history.of_run(run.id, run.attempt)
        then = await history.of_run(green.run, green.attempt)
        return SinceGreen(
            run=green.run,
            commit=green.commit,
            branch=green.branch,
            at=green.at,
            commits=commits_between(green.commit, run.source.commit or ""),
            newly_failing=newly_failing(now, then),
        )
    return None


async def _greens(run: Run) -> AsyncIterator[Tested]:
    history = the_world().history
    for branch in dict.fromkeys((run.source.branch or "", *MAIN_BRANCHES)):
        if history and branch:
            found = await history.last_green(run.repository, branch=branch, before=run.requested_at)
            if found:
                yield found
