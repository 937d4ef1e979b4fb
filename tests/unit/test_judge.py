"""The verdict rules, one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conductor.domain.report import ServiceEnding
from conductor.domain.results import Case, CaseStatus, Counts, ReportProblem, SuiteResult
from conductor.domain.states import Phase, WorkloadState
from conductor.domain.verdict import Fault, Outcome, Reason, Verdict
from conductor.errors import (
    CancelledRunError,
    ConductorError,
    ConfigurationError,
    Problem,
    RefusedError,
    RunError,
    StateError,
    UnreachableError,
)
from conductor.reports.judge import broken, judge_run, judge_services, judge_suite
from conductor.reports.junit import JUnit, count

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
NOTHING = JUnit()


def ended(exit_code: int | None, reason: Reason | None = None, message: str = "") -> WorkloadState:
    return WorkloadState(
        name="tests", phase=Phase.ENDED, exit_code=exit_code, reason=reason, message=message,
        started_at=START, ended_at=START + timedelta(seconds=90),
    )  # fmt: skip


def reports(
    *statuses: CaseStatus, names: str = "abcdefgh", problems: tuple[ReportProblem, ...] = ()
) -> JUnit:
    cases = tuple(Case(name=name, status=status) for name, status in zip(names, statuses, strict=False))
    return JUnit(cases=cases, counts=count(cases), files=1, problems=problems)


def judge(state: WorkloadState | None, junit: JUnit = NOTHING, ended_by: Reason | None = None) -> SuiteResult:
    return judge_suite(
        "tests",
        state,
        junit,
        time_limit=timedelta(minutes=30),
        ended_by=ended_by,
        expected=("reports/**/*.xml",),
    )


PASSED, FAILED, ERROR, SKIPPED = CaseStatus.PASSED, CaseStatus.FAILED, CaseStatus.ERROR, CaseStatus.SKIPPED


@pytest.mark.parametrize(
    ("state", "junit", "ended_by", "verdict", "reason", "fault"),
    [
        (ended(0), reports(PASSED), None, Verdict.PASSED, None, None),
        (ended(0), NOTHING, None, Verdict.PASSED, None, None),
        (ended(0), reports(SKIPPED), None, Verdict.PASSED, None, None),
        (ended(0), reports(), None, Verdict.FAILED, Reason.NO_TESTS, Fault.REPOSITORY),
        (ended(0), reports(PASSED, FAILED), None, Verdict.FAILED, Reason.TESTS_FAILED, Fault.REPOSITORY),
        (ended(0), reports(ERROR), None, Verdict.FAILED, Reason.TESTS_FAILED, Fault.REPOSITORY),
        (ended(1), reports(PASSED, FAILED), None, Verdict.FAILED, Reason.TESTS_FAILED, Fault.REPOSITORY),
        (ended(1), reports(PASSED), None, Verdict.FAILED, Reason.TESTS_FAILED, Fault.REPOSITORY),
        (ended(1), NOTHING, None, Verdict.FAILED, Reason.TESTS_FAILED, Fault.REPOSITORY),
        (ended(137), NOTHING, None, Verdict.FAILED, Reason.TESTS_FAILED, Fault.REPOSITORY),
        (ended(143), reports(PASSED), Reason.DEADLINE_EXCEEDED, Verdict.FAILED, Reason.DEADLINE_EXCEEDED, Fault.REPOSITORY),
        (ended(0), reports(PASSED), Reason.DEADLINE_EXCEEDED, Verdict.FAILED, Reason.DEADLINE_EXCEEDED, Fault.REPOSITORY),
        (ended(None, Reason.DEADLINE_EXCEEDED), NOTHING, None, Verdict.FAILED, Reason.DEADLINE_EXCEEDED, Fault.REPOSITORY),
        (ended(137, Reason.OOM_KILLED), reports(PASSED), None, Verdict.FAILED, Reason.OOM_KILLED, Fault.REPOSITORY),
        (ended(0, Reason.OOM_KILLED), reports(PASSED), None, Verdict.FAILED, Reason.OOM_KILLED, Fault.REPOSITORY),
        (ended(126), NOTHING, None, Verdict.BROKEN, Reason.COMMAND_NOT_FOUND, Fault.REPOSITORY),
        (ended(127), NOTHING, None, Verdict.BROKEN, Reason.COMMAND_NOT_FOUND, Fault.REPOSITORY),
        (ended(127), reports(PASSED), None, Verdict.FAILED, Reason.TESTS_FAILED, Fault.REPOSITORY),
        (ended(None, Reason.COMMAND_NOT_FOUND), NOTHING, None, Verdict.BROKEN, Reason.COMMAND_NOT_FOUND, Fault.REPOSITORY),
        (ended(None, Reason.IMAGE_PULL), NOTHING, None, Verdict.BROKEN, Reason.IMAGE_PULL, Fault.REPOSITORY),
        (ended(None, Reason.UNSCHEDULABLE), NOTHING, None, Verdict.BROKEN, Reason.UNSCHEDULABLE, Fault.PLATFORM),
        (ended(0, Reason.EVICTED), reports(PASSED), None, Verdict.BROKEN, Reason.EVICTED, Fault.PLATFORM),
        (ended(0, Reason.GONE), reports(PASSED), None, Verdict.BROKEN, Reason.GONE, Fault.PLATFORM),
        (ended(None), reports(PASSED), None, Verdict.BROKEN, Reason.GONE, Fault.PLATFORM),
        (None, reports(PASSED), None, Verdict.BROKEN, Reason.GONE, Fault.PLATFORM),
        (ended(0), reports(PASSED), Reason.CANCELLED, Verdict.CANCELLED, Reason.CANCELLED, None),
        (None, NOTHING, Reason.SUPERSEDED, Verdict.SUPERSEDED, Reason.SUPERSEDED, None),
    ],
)  # fmt: skip
def test_a_suite_is_judged_by_its_ending_and_its_reports(  # noqa: PLR0917 -- a table has columns
    state: WorkloadState | None, junit: JUnit, ended_by: Reason | None,
    verdict: Verdict, reason: Reason | None, fault: Fault | None,
):  # fmt: skip
    outcome = judge(state, junit, ended_by).outcome
    assert (outcome.verdict, outcome.reason, outcome.fault) == (verdict, reason, fault)
    assert outcome.subject == "tests"
    assert outcome.message
    assert bool(outcome.remedy) is (verdict in (Verdict.FAILED, Verdict.BROKEN))


def test_nothing_but_a_whole_ending_with_zero_is_ever_passed():
    for phase in Phase:
        for exit_code in (None, 0, 1, 137):
            for reason in (None, *Reason):
                state = replace(ended(exit_code, reason), phase=phase)
                if judge(state, reports(PASSED)).outcome.verdict is Verdict.PASSED:
                    assert (phase, exit_code) == (Phase.ENDED, 0)
                    assert reason in (None, Reason.ERROR, Reason.CRASHED)


def test_the_message_of_a_red_suite_counts_and_names_what_failed():
    result = judge(ended(1), reports(PASSED, FAILED, ERROR))
    assert result.outcome.message == "2 of 3 tests failed: b, c"
    assert result.counts == Counts(passed=1, failed=1, errors=1)
    assert result.seconds == 90


def test_a_content_command_with_a_failing_report_is_named_as_such():
    assert (
        judge(ended(0), reports(FAILED)).outcome.message
        == "1 of 1 test failed although the command exited with 0: a"
    )


def test_no_report_at_all_is_passed_with_a_note():
    result = judge(ended(0))
    assert result.outcome.message == "the command exited with 0; no report was found at reports/**/*.xml"
    assert not result.partial


def test_problems_of_reports_make_the_evidence_partial_but_a_content_command_stays_passed():
    result = judge(ended(0), JUnit(problems=(ReportProblem(file="a.xml", why="is empty"),)))
    assert result.outcome.verdict is Verdict.PASSED
    assert result.partial
    assert "1 report could not be read whole" in result.outcome.message


def test_a_test_that_was_tried_again_and_passed_is_flaky_where_the_command_was_content():
    twice = reports(FAILED, PASSED, PASSED, names="aab")
    content = judge(ended(0), twice)
    assert content.outcome.verdict is Verdict.PASSED
    assert [(case.name, case.flaky) for case in content.cases] == [("a", True), ("b", False)]
    assert content.counts == Counts(passed=2)
    assert judge(ended(1), twice).counts == Counts(passed=2, failed=1)


def test_counts_without_cases_stay_when_tries_are_settled():
    twice = replace(reports(FAILED, PASSED, names="aa"), counts=Counts(passed=11, failed=1))
    assert judge(ended(0), twice).counts == Counts(passed=11)


def test_what_ran_until_the_time_limit_is_told():
    message = judge(ended(143), reports(PASSED), Reason.DEADLINE_EXCEEDED).outcome.message
    assert message == "the tests were stopped at their time limit of 30 min; until then 1 passed"


def suite(name: str, verdict: Verdict, fault: Fault | None = None) -> SuiteResult:
    return SuiteResult(
        suite=name, outcome=Outcome(verdict=verdict, subject=name, fault=fault, message=f"{verdict}!")
    )


def test_the_worst_suite_decides_and_every_suite_as_bad_is_named():
    red, green = suite("unit", Verdict.FAILED), suite("e2e", Verdict.PASSED)
    gone = suite("slow", Verdict.BROKEN, Fault.PLATFORM)
    assert judge_run([green, red]).message == "unit: failed!"
    assert judge_run([red, gone, green]).verdict is Verdict.BROKEN
    assert judge_run([red, suite("api", Verdict.FAILED)]).message == "unit: failed!; api: failed!"
    assert judge_run([gone, suite("x", Verdict.CANCELLED)]).verdict is Verdict.CANCELLED


def test_of_two_broken_suites_the_one_that_trying_again_would_not_mend_counts():
    outcome = judge_run(
        [suite("a", Verdict.BROKEN, Fault.PLATFORM), suite("b", Verdict.BROKEN, Fault.REPOSITORY)]
    )
    assert (outcome.subject, outcome.fault) == ("b", Fault.REPOSITORY)


def test_the_outcome_of_a_single_suite_is_the_runs():
    only = suite("tests", Verdict.FAILED)
    assert judge_run([only]) == only.outcome


def test_a_run_of_several_green_suites_is_about_none_of_them():
    outcome = judge_run([suite("a", Verdict.PASSED), suite("b", Verdict.PASSED)])
    assert (outcome.verdict, outcome.subject) == (Verdict.PASSED, "")


def test_a_run_without_suites_is_broken():
    assert judge_run([]).reason is Reason.NO_TESTS


@pytest.mark.parametrize(
    ("error", "reason", "fault"),
    [
        (RunError("x", reason="BuildFailed", fault="repository"), Reason.BUILD_FAILED, Fault.REPOSITORY),
        (RunError("x", reason="Evicted", fault="platform"), Reason.EVICTED, Fault.PLATFORM),
        (ConfigurationError([Problem(file="a", message="b")]), Reason.CONFIGURATION, Fault.REPOSITORY),
        (RefusedError("x"), Reason.REFUSED, Fault.REPOSITORY),
        (UnreachableError("x"), Reason.ENGINE_UNREACHABLE, Fault.PLATFORM),
        (StateError("x"), Reason.INTERNAL, Fault.PLATFORM),
        (ConductorError("x"), Reason.INTERNAL, Fault.PLATFORM),
    ],
)
def test_an_error_before_the_tests_is_broken_with_its_reason(
    error: ConductorError, reason: Reason, fault: Fault
):
    outcome = broken(error)
    assert (outcome.verdict, outcome.reason, outcome.fault) == (Verdict.BROKEN, reason, fault)
    assert outcome.message
    assert outcome.remedy


def test_an_error_keeps_its_subject_and_its_own_remedy():
    outcome = broken(RunError("x", reason="Error", fault="repository", remedy="do this", subject="backend"))
    assert (outcome.subject, outcome.remedy) == ("backend", "do this")


def test_what_was_cancelled_is_not_broken():
    assert broken(CancelledRunError("stopped")).verdict is Verdict.CANCELLED


RED = judge(ended(1), reports(CaseStatus.FAILED)).outcome
CRASHED = ServiceEnding(
    name="backend", phase="ended", exit_code=137, reason="OOMKilled", message="out of memory"
)
STANDING = ServiceEnding(name="redis", phase="running", health="healthy")
ONE_SHOT = ServiceEnding(name="migrate", phase="ended", exit_code=0)


def test_red_tests_beside_a_service_that_crashed_were_no_fair_test() -> None:
    outcome = judge_services(RED, [STANDING, ONE_SHOT, CRASHED])
    assert (outcome.verdict, outcome.reason, outcome.fault, outcome.subject) == (
        Verdict.BROKEN, Reason.OOM_KILLED, Fault.REPOSITORY, "backend",
    )  # fmt: skip
    assert "backend exited with 137" in outcome.message
    assert "1 of 1 test failed" in outcome.message


def test_a_service_that_nobody_requires_may_have_crashed_beside_red_tests() -> None:
    assert judge_services(RED, [STANDING, replace(CRASHED, may_fail=True)]) == RED


def test_services_that_stand_or_ended_well_change_nothing() -> None:
    assert judge_services(RED, [STANDING, ONE_SHOT]) == RED


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(verdict=Verdict.PASSED),
        Outcome(verdict=Verdict.FAILED, reason=Reason.DEADLINE_EXCEEDED),
        Outcome(verdict=Verdict.CANCELLED, reason=Reason.CANCELLED),
    ],
    ids=lambda outcome: outcome.verdict,
)
def test_a_crash_beside_tests_that_passed_or_were_stopped_changes_nothing(outcome: Outcome) -> None:
    assert judge_services(outcome, [CRASHED]) == outcome
