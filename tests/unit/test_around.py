"""What the services wrote around the moment of a failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from conductor.domain.report import LogLine
from conductor.domain.results import Case, CaseStatus, SuiteResult
from conductor.domain.verdict import Outcome, Verdict
from conductor.reports.around import FAILURES_WITH_LINES, LINE_LENGTH, failures, weigh

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
JOBS = {"tests": "tests"}


def line(seconds: float, text: str, workload: str = "backend", stream: str = "stdout") -> LogLine:
    return LogLine(workload=workload, at=START + timedelta(seconds=seconds), text=text, stream=stream)


def case(name: str = "sends an e-mail", ended_at: float | None = None, seconds: float = 0.0) -> Case:
    when = START + timedelta(seconds=ended_at) if ended_at is not None else None
    return Case(name=name, status=CaseStatus.FAILED, ended_at=when, seconds=seconds)


def around(one: Case, *lines: LogLine, limit: int = 12) -> list[str]:
    suite = SuiteResult(suite="tests", outcome=Outcome(verdict=Verdict.FAILED), cases=(one,))
    (failure,) = failures([suite], lines, jobs=JOBS, limit=limit)
    return [found.text for found in failure.around]


JOB = (line(0, "started", "tests"), line(60, "sends an e-mail FAILED", "tests"), line(100, "done", "tests"))


def test_the_cases_own_time_decides_where_it_fits_the_log():
    assert around(case(ended_at=30), *JOB, line(29, "near"), line(60, "far")) == ["near"]


def test_a_time_in_another_zone_gives_way_to_the_log():
    assert around(case(ended_at=30 + 3600), *JOB, line(29, "far"), line(60, "near")) == ["near"]


def test_without_a_time_the_first_mention_of_the_case_is_the_moment():
    assert around(case(), *JOB, line(29, "far"), line(59, "near"), line(99, "end")) == ["near"]


def test_a_case_that_nobody_mentions_is_looked_for_at_the_end():
    assert around(case("other case"), *JOB, line(59, "far"), line(99, "end")) == ["end"]


def test_without_a_log_of_the_tests_the_services_end_is_the_moment():
    assert around(case(), line(10, "far"), line(99, "end")) == ["end"]
    assert around(case()) == []


def test_the_window_begins_before_the_case_began():
    assert around(case(ended_at=50, seconds=20), *JOB, line(27, "far"), line(28.5, "before"), line(40, "during")) == [
        "before", "during",
    ]  # fmt: skip


def test_lines_of_test_jobs_are_never_among_them():
    assert around(case(ended_at=60), *JOB) == []


def test_telling_lines_win_and_stand_in_the_order_of_their_times():
    lines = [line(60 + n / 100, f"GET /orders/{n} 200") for n in range(40)]
    lines += [
        line(60.355, "Error: refused"),
        line(59, "POST /orders 502"),
        line(60.5, "WARN slow", stream="stderr"),
    ]
    assert around(case(ended_at=60), *JOB, *lines, limit=3) == [
        "POST /orders 502",
        "Error: refused",
        "WARN slow",
    ]


def test_a_stack_trace_stays_with_its_error():
    lines = [
        line(59.5, "Error: boom"),
        line(59.5, "    at f (a.js:1)"),
        *(line(60, f"x {n}") for n in range(9)),
    ]
    assert around(case(ended_at=60), *JOB, *lines, limit=2) == ["Error: boom", "    at f (a.js:1)"]


def test_the_same_line_is_shown_once():
    assert around(case(ended_at=60), *JOB, *[line(60, "Error: again")] * 5, line(60, "other")) == [
        "Error: again",
        "other",
    ]


def test_health_checks_weigh_less_than_anything():
    assert (
        weigh(line(0, "GET /health 200")) < weigh(line(0, "hello")) < weigh(line(0, "hello", stream="stderr"))
    )


def test_lines_are_cleaned_and_cut():
    (text,) = around(case(ended_at=60), *JOB, line(60, "\x1b[31m" + "x" * 9000))
    assert text.startswith("xxx")
    assert len(text) == LINE_LENGTH


def test_only_the_first_of_very_many_failures_come_with_lines():
    cases = tuple(case(f"case {n}", ended_at=60) for n in range(FAILURES_WITH_LINES + 5))
    suite = SuiteResult(suite="tests", outcome=Outcome(verdict=Verdict.FAILED), cases=cases)
    made = failures([suite], [*JOB, line(60, "Error")], jobs=JOBS)
    assert len(made) == len(cases)
    assert [bool(failure.around) for failure in made].count(True) == FAILURES_WITH_LINES


def test_passed_cases_are_no_failures():
    suite = SuiteResult(
        suite="tests",
        outcome=Outcome(verdict=Verdict.PASSED),
        cases=(Case(name="a", status=CaseStatus.PASSED),),
    )
    assert failures([suite], JOB, jobs=JOBS) == ()
