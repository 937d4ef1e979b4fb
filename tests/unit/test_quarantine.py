"""What quarantine makes of a red suite, and what it never does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conductor.domain.history import TestName
from conductor.domain.quarantine import Quarantined
from conductor.domain.results import Case, CaseStatus, Counts, ReportProblem, SuiteResult
from conductor.domain.verdict import Outcome, Reason, Verdict
from conductor.reports.quarantine import NOTED, excuse, in_quarantine

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
RED = Outcome(
    verdict=Verdict.FAILED, reason=Reason.TESTS_FAILED, subject="api", message="1 of 2 tests failed"
)
FLAKY = Case(name="adds", classname="cart", status=CaseStatus.FAILED)
OTHER = Case(name="pays", classname="till", status=CaseStatus.ERROR)
GREEN = Case(name="lists", classname="cart", status=CaseStatus.PASSED)


def entry(case: Case = FLAKY, suite: str = "api", **changes: Any) -> Quarantined:
    test = TestName(suite=suite, classname=case.classname, name=case.name)
    made = Quarantined(
        repository="acme/shop", test=test, reason="flaky, see #12", added_by="ada", added_at=NOON
    )
    return replace(made, **changes)


def suite(*cases: Case, **changes: Any) -> SuiteResult:
    counted = [case.status for case in cases]
    counts = Counts(
        passed=counted.count(CaseStatus.PASSED),
        failed=counted.count(CaseStatus.FAILED),
        errors=counted.count(CaseStatus.ERROR),
    )
    return replace(SuiteResult(suite="api", outcome=RED, exit_code=1, counts=counts, cases=cases), **changes)


def verdict(result: SuiteResult, *listed: Quarantined) -> Verdict:
    return excuse(result, listed or (entry(),), now=NOON).outcome.verdict


def test_a_suite_whose_only_failure_is_in_quarantine_passes_and_says_so():
    excused = excuse(suite(FLAKY, GREEN), [entry()], now=NOON)
    assert (excused.outcome.verdict, excused.outcome.reason) == (Verdict.PASSED, None)
    assert excused.outcome.message == "1 passed, 1 failed in quarantine"
    assert excused.counts == Counts(passed=1, quarantined=1)
    assert [case.quarantined for case in excused.cases] == [True, False]
    assert excused.cases[0].status is CaseStatus.FAILED


def test_another_failure_keeps_the_suite_red_and_alone_is_named():
    excused = excuse(suite(FLAKY, OTHER, GREEN), [entry()], now=NOON)
    assert excused.outcome.verdict is Verdict.FAILED
    assert excused.outcome.message == "1 of 3 tests failed: pays; 1 failure in quarantine"
    assert excused.counts == Counts(passed=1, errors=1, quarantined=1)


@pytest.mark.parametrize(
    "listed",
    [
        entry(suite="web"),
        entry(replace(FLAKY, classname="basket")),
        entry(replace(FLAKY, name="adds ")),
        entry(until=NOON),
        entry(until=NOON - timedelta(seconds=1)),
    ],
    ids=["another-suite", "another-class", "another-name", "over-now", "over"],
)
def test_only_the_very_test_is_excused_and_only_while_its_entry_lasts(listed: Quarantined):
    result = suite(FLAKY, GREEN)
    assert excuse(result, [listed], now=NOON) is result


def test_an_entry_counts_until_its_end():
    assert verdict(suite(FLAKY), entry(until=NOON + timedelta(seconds=1))) is Verdict.PASSED


@pytest.mark.parametrize("exit_code", [None, -1, 126, 127, 137, 139, 255])
def test_a_command_that_did_not_end_by_itself_is_not_excused(exit_code: int | None):
    assert verdict(suite(FLAKY, exit_code=exit_code)) is Verdict.FAILED


def test_reports_that_are_not_whole_excuse_nothing():
    problem = ReportProblem(file="reports/b.xml", why="is cut off")
    assert verdict(suite(FLAKY, partial=True)) is Verdict.FAILED
    assert verdict(suite(FLAKY, problems=(problem,))) is Verdict.FAILED


def test_failures_that_are_counted_but_not_named_are_not_excused():
    assert verdict(suite(FLAKY, counts=Counts(failed=2))) is Verdict.FAILED


@pytest.mark.parametrize(
    "outcome",
    [
        replace(RED, reason=Reason.DEADLINE_EXCEEDED),
        replace(RED, reason=Reason.OOM_KILLED),
        Outcome(verdict=Verdict.BROKEN, reason=Reason.CRASHED),
        Outcome(verdict=Verdict.CANCELLED, reason=Reason.CANCELLED),
    ],
)
def test_what_is_red_for_another_reason_stays_as_it_was_judged(outcome: Outcome):
    excused = excuse(suite(FLAKY, outcome=outcome), [entry()], now=NOON)
    assert excused.outcome == outcome
    assert excused.cases[0].quarantined


def test_a_test_in_quarantine_that_passes_is_a_test_like_any_other():
    result = suite(replace(FLAKY, status=CaseStatus.PASSED), outcome=Outcome(verdict=Verdict.PASSED))
    assert excuse(result, [entry()], now=NOON) is result


def test_the_notes_name_each_test_with_reason_and_end():
    listed = [entry(until=NOON + timedelta(days=7))]
    assert list(in_quarantine(excuse(suite(FLAKY), listed, now=NOON), listed)) == [
        "in quarantine: api: cart > adds failed and decides nothing (flaky, see #12; until 2026-11-30 12:00 UTC)"
    ]


def test_many_in_quarantine_are_counted_not_listed_without_end():
    cases = [replace(FLAKY, name=f"test {number}") for number in range(NOTED + 3)]
    listed = [entry(case) for case in cases]
    notes = list(in_quarantine(excuse(suite(*cases), listed, now=NOON), listed))
    assert (len(notes), notes[-1]) == (
        NOTED + 1,
        "in quarantine: 3 more of api failed and decide nothing",
    )
