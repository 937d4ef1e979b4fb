"""An integration run, from a commit to its verdict.

    clone -> read the plan -> namespace -> secrets -> builds ┐ side by side: a service starts as soon as its image
                                                      stack  ┘ is there and what it depends on is so far
          -> test suites, side by side -> SBOMs and signatures, where they are wanted -> scans of the images
          -> logs -> lease -> report -> kept, or removed

Every line below is a recorded step or a recorded workflow of its own: a kill between any two of them loses nothing.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from conductor.domain.report import BuiltImage
from conductor.domain.run import Run
from conductor.domain.verdict import Fault, Outcome
from conductor.durable import Handle, cancel, start, workflow
from conductor.errors import ConductorError
from conductor.reports.judge import broken, judge_run
from conductor.steps.attest_images import attest_images
from conductor.steps.clone import clone
from conductor.steps.create_namespace import create_namespace
from conductor.steps.raise_stack import raise_stack
from conductor.steps.read_plan import read_plan
from conductor.steps.scan_images import scan_images
from conductor.steps.start_run import start_run
from conductor.steps.sync_secrets import sync_secrets
from conductor.workflows.build_image import build_image
from conductor.workflows.conclude import conclude
from conductor.workflows.test_suite import start_suites


@workflow("integration-test")
async def integration_test(run: Run) -> Outcome:
    """Bring a run to its verdict; where the platform was at fault, once more."""
    children: list[str] = []
    try:
        outcome = await _attempt(run, children)
    except ConductorError as error:
        for child in children:
            await cancel(child)
        outcome = broken(error)
    if outcome.fault is Fault.PLATFORM and run.attempt == 1:
        await conclude(run, outcome, again=True)
        again = replace(run, attempt=2)
        return await (await start(integration_test, again, id=again.workflow_id)).result()
    return await conclude(run, outcome)


async def _attempt(run: Run, children: list[str]) -> Outcome:
    await start_run(run)
    await clone(run)
    blueprint = await read_plan(run)
    await create_namespace(run, blueprint)
    await sync_secrets(run, blueprint)
    builds: dict[str, str] = {}
    building: list[Handle[BuiltImage]] = []
    for image in blueprint.images:
        build = await start(build_image, run, image, id=f"{run.workflow_id}/build/{image.name}")
        builds[image.name] = build.id
        building.append(build)
        children.append(build.id)
    await raise_stack(run, blueprint, builds)
    suites = await start_suites(run, blueprint, builds, children)
    outcome = judge_run([await suite.result() for suite in suites])
    if any([(await build.result()).attestation for build in building]):
        with suppress(ConductorError):  # its record says why; the tests have said what they say
            await attest_images(run)
    return await scan_images(run, outcome)
