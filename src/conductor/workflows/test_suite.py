"""One test suite in the stack that is up: start, wait, read what it left."""

from __future__ import annotations

from collections.abc import Mapping

from conductor.domain.blueprint import Blueprint
from conductor.domain.results import SuiteResult
from conductor.domain.run import Run
from conductor.durable import Handle, retrieve, start, workflow
from conductor.errors import ConductorError
from conductor.reports.judge import broken
from conductor.steps.await_tests import await_tests
from conductor.steps.give_up_suite import give_up_suite
from conductor.steps.read_results import read_results
from conductor.steps.start_tests import start_tests
from conductor.workflows.build_image import build_image


@workflow("test-suite")
async def test_suite(run: Run, blueprint: Blueprint, suite: str, builds: Mapping[str, str]) -> SuiteResult:
    """Run it to its end, whatever that is. What breaks it takes nothing from the suites beside it."""
    try:
        image = blueprint.image_for(blueprint.job(suite).workload.name)
        built = await (await retrieve(builds[image.name], build_image)).result() if image else None
        await start_tests(run, blueprint, suite, built)
        ending = await await_tests(run, blueprint, suite)
        return await read_results(run, blueprint, suite, ending)
    except ConductorError as error:
        return await give_up_suite(run, blueprint, suite, broken(error))


async def start_suites(
    run: Run, blueprint: Blueprint, builds: Mapping[str, str], children: list[str]
) -> list[Handle[SuiteResult]]:
    """Start every suite of the blueprint, in its order, and add the names of their workflows to the run's children."""
    suites = []
    for job in blueprint.jobs:
        name = f"{run.workflow_id}/suite/{job.suite}"
        suites.append(await start(test_suite, run, blueprint, job.suite, builds, id=name))
        children.append(name)
    return suites
