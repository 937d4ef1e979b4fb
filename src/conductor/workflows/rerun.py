"""Once more, on what an earlier attempt made.

take over plan and images -> the kept stack, or a new one -> test suites, side by side -> scans of the images -> logs -> lease -> report
"""

from __future__ import annotations

from conductor.domain.run import Run
from conductor.domain.verdict import Outcome
from conductor.durable import cancel, workflow
from conductor.errors import ConductorError
from conductor.reports.judge import broken, judge_run
from conductor.steps.create_namespace import create_namespace
from conductor.steps.hold_stack import hold_stack
from conductor.steps.raise_stack import raise_stack
from conductor.steps.scan_images import scan_images
from conductor.steps.start_run import start_run
from conductor.steps.sync_secrets import sync_secrets
from conductor.steps.take_over import take_over
from conductor.workflows.conclude import conclude
from conductor.workflows.test_suite import start_suites


@workflow("rerun")
async def rerun(run: Run) -> Outcome:
    """Bring a rerun to its verdict. The images are the same to the byte; a kept stack is used as it stands."""
    children: list[str] = []
    try:
        outcome = await _attempt(run, children)
    except ConductorError as error:
        for child in children:
            await cancel(child)
        outcome = broken(error)
    return await conclude(run, outcome)


async def _attempt(run: Run, children: list[str]) -> Outcome:
    await start_run(run)
    blueprint = await take_over(run)
    if run.home == run.attempt:
        await create_namespace(run, blueprint)
    else:
        await hold_stack(run, blueprint)
    await sync_secrets(run, blueprint)
    await raise_stack(run, blueprint, {})
    suites = await start_suites(run, blueprint, {}, children)
    outcome = judge_run([await suite.result() for suite in suites])
    return await scan_images(run, outcome)
