"""The blueprint of a rerun: the same images, jobs with names of their own, failed tests put into the plan's own words."""

from __future__ import annotations

import shlex
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.domain.blueprint import Blueprint, ImageBuild
from conductor.domain.plan import Plan, Suite
from conductor.domain.report import BuiltImage
from conductor.domain.results import Case, CaseStatus, SuiteResult
from conductor.domain.stack import Build, Job, Service, Stack
from conductor.domain.verdict import Outcome, Verdict
from conductor.errors import RefusedError
from conductor.plan.rerun import command_for, with_failed_tests, with_images, with_jobs_again

BUILD = Build(context="app")
OTHER = Build(context="tests")
SUITES = (
    Suite(name="api", command="yarn api", rerun="yarn api {files}"),
    Suite(name="ui", command=("ui", "all")),
)


def job(suite: str) -> Job:
    return Job(
        workload=Service(name=f"tests-{suite}", build=OTHER), suite=suite, time_limit=timedelta(minutes=1)
    )


BLUEPRINT = Blueprint(
    plan=Plan(suites=SUITES),
    stack=Stack(
        name="s",
        services=(
            Service(name="web", build=BUILD),
            Service(name="worker", build=BUILD),
            Service(name="redis", image="redis"),
        ),
    ),
    jobs=(job("api"), job("ui")),
    images=(
        ImageBuild(name="web", build=BUILD, users=("web", "worker")),
        ImageBuild(name="tests/tests-api", build=OTHER, users=("tests-api", "tests-ui")),
    ),
)
IMAGES = (
    BuiltImage(name="web", reference="app@sha256:1", digest="sha256:1"),
    BuiltImage(name="tests/tests-api", reference="tests@sha256:2", digest="sha256:2"),
)


def failed(name: str, file: str = "") -> Case:
    return Case(name=name, file=file, status=CaseStatus.FAILED)


def result(suite: str, *cases: Case) -> SuiteResult:
    return SuiteResult(suite=suite, outcome=Outcome(verdict=Verdict.FAILED), cases=cases)


def test_nothing_is_built_again_and_everybody_runs_the_image_that_was_made_for_it():
    made = with_images(BLUEPRINT, IMAGES)
    assert made.images == ()
    assert [service.image for service in made.stack.services] == ["app@sha256:1", "app@sha256:1", "redis"]
    assert {job.workload.image for job in made.jobs} == {"tests@sha256:2"}


def test_jobs_get_names_of_their_own_and_the_command_of_the_plan():
    made = with_jobs_again(with_jobs_again(BLUEPRINT, attempt=2), attempt=3)
    assert [job.workload.name for job in made.jobs] == ["tests-api-3", "tests-ui-3"]
    assert made.job("api").workload.command == ("yarn api",)
    assert made.job("ui").workload.entrypoint == ("ui",)


def test_only_suites_with_failures_run_again_each_file_once():
    cases = (failed("a", "x.js"), failed("b", "x.js"), Case(name="c", file="y.js", status=CaseStatus.PASSED))
    made = with_failed_tests(BLUEPRINT, [result("api", *cases), result("ui")], attempt=2)
    assert [(job.suite, job.workload.command) for job in made.jobs] == [("api", ("yarn api x.js",))]


@pytest.mark.parametrize(
    ("suite", "case", "words"),
    [
        (SUITES[1], failed("a", "x.js"), "does not say how"),
        (SUITES[0], failed("a"), "do not name the files"),
    ],
)
def test_what_cannot_be_run_alone_is_refused_with_what_to_do(suite: Suite, case: Case, words: str):
    with pytest.raises(RefusedError, match=words) as refused:
        command_for(suite, [case])
    assert refused.value.remedy


def test_a_run_without_a_failed_case_has_nothing_to_run_again():
    with pytest.raises(RefusedError, match="no test case is on record as failed"):
        with_failed_tests(BLUEPRINT, [result("api", Case(name="a", status=CaseStatus.PASSED))], attempt=2)


def test_in_a_list_each_failed_test_is_an_argument_of_its_own():
    suite = Suite(command="x", rerun=("jest", "--spec={files}", "-t", "{names}"))
    cases = [failed("a b", "1.js"), failed("c", "2.js")]
    assert command_for(suite, cases) == ("jest", "--spec=1.js", "--spec=2.js", "-t", "a b", "c")


@given(st.lists(st.text(min_size=1).filter(lambda name: "\0" not in name), min_size=1, unique=True))
def test_names_of_tests_reach_the_shell_as_they_are_whatever_is_in_them(names: list[str]):
    suite = Suite(command="x", rerun="run {names}")
    command = command_for(suite, [failed(name) for name in names])
    assert isinstance(command, str)
    assert shlex.split(command) == ["run", *names]
