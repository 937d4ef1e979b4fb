"""The end of a run that somebody stopped: cancelled, or superseded. A workflow of its own, because a cancelled one runs no clean-up."""

from __future__ import annotations

from conductor.domain.run import Run
from conductor.domain.verdict import Outcome
from conductor.durable import workflow
from conductor.steps.stop_run import stop_run
from conductor.steps.stop_tests import stop_tests
from conductor.workflows.conclude import conclude


@workflow("teardown")
async def teardown(run: Run, outcome: Outcome) -> Outcome:
    """Stop the run and its children, give its jobs their grace, and end it like any other."""
    await stop_run(run)
    await stop_tests(run, outcome)
    return await conclude(run, outcome)
