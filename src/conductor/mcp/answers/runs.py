"""Answers about runs."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from conductor.domain.run import Run, Status
from conductor.mcp.fitting import Answer, line
from conductor.ports.store import RunRow

LONGEST_MESSAGE = 700


class Begun(Answer):
    """A run that was asked for."""

    run: str = Field(description="Its id: what the other tools take.")
    attempt: int
    repository: str
    commit: str
    branch: str
    is_new: bool = Field(description="False: the commit has a run already, and this is it.")
    next: str = Field(description="What to call next.")

    @classmethod
    def of(cls, run: Run, *, is_new: bool) -> Begun:
        """Tell of a run."""
        return cls(
            run=run.id,
            attempt=run.attempt,
            repository=run.repository,
            commit=run.source.commit or "",
            branch=run.source.branch or "",
            is_new=is_new,
            next=f"wait_for_run(run={run.id!r})",
        )

    def in_words(self) -> str:
        """Say it shortly."""
        how = "begun" if self.is_new else "there already"
        return f"Run {self.run}, attempt {self.attempt}, is {how}. Next: {self.next}"


class Standing(Answer):
    """Where a run stands, and how it ended where it has."""

    run: str
    attempt: int
    repository: str
    commit: str
    branch: str
    status: str = Field(description="queued, running, interrupted or ended.")
    verdict: str | None = Field(
        description="passed, failed (the tests are red), broken (there was no fair test), cancelled, superseded; null: none yet."
    )
    reason: str = Field(description="A word for why, such as TestsFailed or ImagePullBackOff.")
    fault: str = Field(description="`repository`: you can mend it; `platform`: you cannot.")
    message: str
    remedy: str
    happened: list[str] = Field(description="The latest happenings, oldest first.")
    after: int = Field(description="Give this to the next call: only what comes later is told.")
    next: str = Field(description="What to call next.")

    @classmethod
    def of(cls, row: RunRow, *, happened: Sequence[str], after: int, room: int) -> Standing:
        """Tell of a run, its message and remedy in `room` characters each."""
        run, outcome = row.run, row.outcome if row.status is Status.ENDED else None
        return cls(
            run=run.id,
            attempt=run.attempt,
            repository=run.repository,
            commit=run.source.commit or "",
            branch=run.source.branch or "",
            status=row.status.value,
            verdict=outcome.verdict.value if outcome else None,
            reason=outcome.reason.value if outcome and outcome.reason else "",
            fault=outcome.fault.value if outcome and outcome.fault else "",
            message=line(outcome.message, room) if outcome else "",
            remedy=line(outcome.remedy, room) if outcome else "",
            happened=[line(one, room) for one in happened],
            after=after,
            next=_next(row, after),
        )

    def in_words(self) -> str:
        """Say it shortly."""
        stands = self.verdict or self.status
        why = f" ({self.reason})" if self.reason else ""
        lines = [f"Run {self.run}, attempt {self.attempt}: {stands}{why}. {self.message}".rstrip()]
        lines += [f"What to do: {self.remedy}"] if self.remedy else []
        return "\n".join([*lines, *self.happened, f"Next: {self.next}"])


class Again(Answer):
    """Another attempt of a run."""

    run: str
    attempt: int
    failed_only: bool = Field(description="False: all tests run, since the failed ones could not alone.")
    why: str = Field(
        description="Why not what failed alone, in the stack that was kept; empty where it is so."
    )
    next: str

    def in_words(self) -> str:
        """Say it shortly."""
        what = "the failed tests alone" if self.failed_only else f"everything ({self.why})"
        return f"Attempt {self.attempt} of run {self.run} runs {what}. Next: {self.next}"


class Cancelled(Answer):
    """What became of the wish to stop a run."""

    run: str
    begun: bool = Field(description="False: it had ended already.")

    def in_words(self) -> str:
        """Say it shortly."""
        return f"Run {self.run} is being stopped." if self.begun else f"Run {self.run} had ended already."


def _next(row: RunRow, after: int) -> str:
    run = row.run.id
    if row.status is not Status.ENDED:
        return f"wait_for_run(run={run!r}, after={after}) goes on waiting"
    if row.outcome and row.outcome.exit_code == 0:
        return f"nothing: it passed. run_digest(run={run!r}) has the counts; release what you hold"
    return f"run_digest(run={run!r}) says what failed"
