"""The blueprint of a rerun: an earlier attempt's, with its images by name, and with the jobs that are to run again.

Pure. Jobs get names of their own, since those of the attempt before are still in the namespace.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from conductor.domain.blueprint import Blueprint
from conductor.domain.names import job_name
from conductor.domain.plan import Suite
from conductor.domain.report import BuiltImage
from conductor.domain.results import Case, CaseStatus, SuiteResult
from conductor.domain.stack import Job, Service
from conductor.errors import RefusedError
from conductor.plan.blueprint import entrypoint_and_command

FILES, NAMES = "{files}", "{names}"
_HOLE = re.compile(r"\{(?:files|names)\}")


def with_images(blueprint: Blueprint, images: Sequence[BuiltImage]) -> Blueprint:
    """Return the blueprint with nothing left to build: every workload runs the image that was made for it then."""
    references = {image.name: image.reference for image in images}
    made = {user: references[b.name] for b in blueprint.images if b.name in references for user in b.users}
    services = tuple(_imaged(service, made) for service in blueprint.stack.services)
    jobs = tuple(replace(job, workload=_imaged(job.workload, made)) for job in blueprint.jobs)
    return replace(blueprint, stack=replace(blueprint.stack, services=services), jobs=jobs, images=())


def with_jobs_again(blueprint: Blueprint, *, attempt: int) -> Blueprint:
    """Return the blueprint with every suite to be run once more."""
    jobs = tuple(_again(job, attempt, _suite(blueprint, job).command) for job in blueprint.jobs)
    return replace(blueprint, jobs=jobs)


def with_failed_tests(blueprint: Blueprint, results: Sequence[SuiteResult], *, attempt: int) -> Blueprint:
    """Return the blueprint with the suites that had failures, each asked for its failed tests alone.

    Raises RefusedError where the plan does not say how (`tests.rerun`), where nothing failed, or where the reports do not tell what did.
    """
    failed = {result.suite: failures(result) for result in results}
    jobs = tuple(
        _again(job, attempt, command_for(_suite(blueprint, job), failed[job.suite]))
        for job in blueprint.jobs
        if failed.get(job.suite)
    )
    if not jobs:
        raise RefusedError(
            "no test case is on record as failed, so there is none to run again",
            remedy="Run all tests again with `--from tests`.",
        )
    return replace(blueprint, jobs=jobs)


def failures(result: SuiteResult) -> tuple[Case, ...]:
    """Return the cases that failed."""
    return tuple(case for case in result.cases if case.status in (CaseStatus.FAILED, CaseStatus.ERROR))


def command_for(suite: Suite, cases: Sequence[Case]) -> str | tuple[str, ...]:
    r"""Put the failed tests into the suite's `rerun`: quoted for the shell, or as arguments of their own.

    >>> case = Case(name="it's red", file="a test.js", status=CaseStatus.FAILED)
    >>> command_for(Suite(command="yarn test", rerun="yarn test {files}"), [case])
    "yarn test 'a test.js'"
    >>> command_for(Suite(command="x", rerun=("jest", "-t", "{names}")), [case])
    ('jest', '-t', "it's red")
    """
    if suite.rerun is None:
        raise RefusedError(
            f"the suite {suite.name} does not say how failed tests alone are run again",
            remedy="Add `rerun` to it in .conductor.yaml, with {files} or {names}; or run all with `--from tests`.",
        )
    whole = suite.rerun if isinstance(suite.rerun, str) else " ".join(suite.rerun)
    if FILES in whole and not all(case.file for case in cases):
        raise RefusedError(
            f"the reports of the suite {suite.name} do not name the files of its failed tests",
            remedy="Use {names} in `rerun`, or a reporter that writes the file of each test case.",
        )
    values = {FILES: _once(case.file for case in cases), NAMES: _once(case.name for case in cases)}
    if isinstance(suite.rerun, str):
        return _in_shell(suite.rerun, values)
    return tuple(part for word in suite.rerun for part in _as_arguments(word, values))


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _in_shell(text: str, values: Mapping[str, Sequence[str]]) -> str:
    """Replace both in one pass: a test's name may itself look like one of them."""
    return _HOLE.sub(lambda found: shlex.join(values[found.group()]), text)


def _as_arguments(word: str, values: Mapping[str, Sequence[str]]) -> Sequence[str]:
    hole = _HOLE.search(word)
    if hole is None:
        return (word,)
    return [word[: hole.start()] + value + word[hole.end() :] for value in values[hole.group()]]


def _suite(blueprint: Blueprint, job: Job) -> Suite:
    return next(suite for suite in blueprint.plan.suites if suite.name == job.suite)


def _again(job: Job, attempt: int, command: str | tuple[str, ...]) -> Job:
    entrypoint, arguments = entrypoint_and_command(command)
    name = f"{job_name(job.suite)}-{attempt}"
    workload = replace(job.workload, name=name, entrypoint=entrypoint, command=arguments)
    return replace(job, workload=workload)


def _imaged(service: Service, made: Mapping[str, str]) -> Service:
    return replace(service, image=made[service.name]) if service.name in made else service
