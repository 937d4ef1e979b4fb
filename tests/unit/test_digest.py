"""The digest fits, whatever the report is, and says first what matters first."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conductor.domain.report import Failure, LogLine, Report, ServiceEnding
from conductor.domain.results import Case, CaseStatus
from conductor.domain.run import Run, Source
from conductor.domain.verdict import Fault, Outcome, Reason, Verdict
from conductor.reports.digest import LIMIT_BYTES, to_digest, to_digest_json

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
RUN = Run(
    id="shop-k3v9qd",
    repository="acme/shop",
    source=Source(location="."),
    principal="alice",
    requested_at=START,
)

st.register_type_strategy(datetime, st.datetimes(min_value=datetime(2020, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
st.register_type_strategy(timedelta, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=9)))
TEXT = st.builds(
    lambda piece, times: piece * times, st.text(max_size=6), st.sampled_from([0, 1, 3, 40, 900, 5000])
)
st.register_type_strategy(str, TEXT)


def failing(name: str, message: str, *lines: str) -> Failure:
    around = tuple(LogLine(workload="backend", at=START, text=line) for line in lines)
    return Failure(
        suite="tests", case=Case(name=name, status=CaseStatus.FAILED, message=message), around=around
    )


def report(*failures: Failure, **more: object) -> Report:
    outcome = Outcome(
        verdict=Verdict.FAILED, reason=Reason.TESTS_FAILED, fault=Fault.REPOSITORY, message="some failed", remedy="Mend it."
    )  # fmt: skip
    made = Report(run=RUN, outcome=outcome, started_at=START, ended_at=START, failures=failures)
    return replace(made, **more)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.from_type(Report), st.sampled_from([LIMIT_BYTES, 2000, 300, 40, 10]))
def test_it_never_has_more_bytes_than_its_limit(any_report: Report, limit: int):
    assert len(to_digest(any_report, limit_bytes=limit).encode()) <= limit
    as_json = to_digest_json(any_report, limit_bytes=limit)
    assert len(as_json.encode()) <= max(limit, 45)
    assert json.loads(as_json)["verdict"] == any_report.outcome.verdict


@pytest.mark.parametrize(
    "piece", ["x", "é", "日", "🧪", '"', "\\", "`", "|", "*", "<", "@", "\n", "a\n", "`` ` ", "&"]
)
def test_the_most_expensive_characters_in_every_field_fit_and_leave_the_verdict_first(piece: str):
    text = piece * 2000
    case = Case(
        name=text, classname=text, file=text, status=CaseStatus.FAILED, message=text, details=text + "1"
    )
    line = LogLine(workload=text, at=START, text=text)
    big = report(
        *[Failure(suite=text, case=case, around=(line,) * 3)] * 12,
        outcome=Outcome(
            verdict=Verdict.BROKEN, reason=Reason.ERROR, fault=Fault.PLATFORM, subject=text, message=text, remedy=text
        ),
        notes=(text,) * 25, partial=(text,) * 25, tail=(line,) * 40, links={text: text},
        run=replace(RUN, id=text, repository=text),
        services=(ServiceEnding(name=text, phase=text, reason=text, message=text),) * 25,
    )  # fmt: skip
    made = to_digest(big)
    assert len(made.encode()) <= LIMIT_BYTES
    assert made.startswith("# broken (Error)")
    assert "- What to do:" in made
    assert "- Who can mend it: the platform" in made
    assert len(to_digest_json(big).encode()) <= LIMIT_BYTES
    assert json.loads(to_digest_json(big))["remedy"].strip("…") in text


def test_verdict_reason_and_remedy_stand_before_the_failures():
    made = to_digest(report(failing("a", "boom")))
    order = [
        "# failed (TestsFailed)",
        "some failed",
        "What to do: Mend it.",
        "Who can mend it",
        "## Failures (1)",
        "boom",
    ]
    places = [made.index(part) for part in order]
    assert places == sorted(places)


def test_each_failure_comes_with_what_the_services_wrote():
    made = to_digest(
        report(failing("a", "boom", "Error: refused", "GET /x 500"), failing("b", "bang", "panic: oh"))
    )
    assert made.index("boom") < made.index("10:00:00.000 backend: Error: refused") < made.index("bang")
    assert made.index("bang") < made.index("panic: oh")


def test_failures_that_say_the_same_but_for_numbers_are_told_once():
    failures = [
        failing(f"case {number}", f"timeout after {number} ms, id 0x{number:x}") for number in range(200)
    ]
    made = to_digest(report(*failures))
    assert "## Failures (200)" in made
    assert "200 times, such as `case 0`" in made
    assert "Also: `case 1`, `case 2`" in made
    assert "and 189 more" in made


def test_failures_that_say_other_things_are_left_out_at_the_end_and_counted():
    failures = [failing(f"case {number}", "m" + "x" * (number + 1)) for number in range(200)]
    made = to_digest(report(*failures))
    shown = made.count("### ")
    assert shown >= 10
    assert f"Left out: {200 - shown} failures more." in made
    data = json.loads(to_digest_json(report(*failures)))
    assert len(data["failures"]) + data["failures_left_out"] == 200


def test_most_frequent_messages_come_first_where_there_are_many():
    rare = [failing(f"rare {letter}", f"only {letter * 3}") for letter in "abcdefghijklmnopqrstuvwxyz"]
    often = [failing(f"often {number}", "database is gone") for number in range(9)]
    assert to_digest(report(*rare, *often)).index("9 times") < to_digest(report(*rare, *often)).index(
        "only aaa"
    )


def test_an_address_is_shown_whole_or_not_at_all():
    made = to_digest(
        report(links={"page": "https://x.example/" + "a" * 50_000, "logs": "conductor stacks logs x"})
    )
    assert "x.example" not in made
    assert "logs: `conductor stacks logs x`" in made


def test_only_services_that_stood_badly_are_named():
    good = ServiceEnding(name="redis", phase="running", health="healthy")
    bad = ServiceEnding(name="backend", phase="running", health="healthy", restarts=4)
    made = to_digest(report(services=(good, bad)))
    assert "redis" not in made
    assert "backend: healthy" in made
