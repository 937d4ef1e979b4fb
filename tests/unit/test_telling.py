"""What is told of a run on its forge: it fits, it is escaped and masked, and it says nothing that changes by itself."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.test_reports import (
    BAD,
    BROKEN,
    GREEN,
    HOSTILE,
    RED,
    RUN,
    START,
    TOKEN,
    everywhere,
    outside_of_code,
)

from conductor.domain.event import StepRecord
from conductor.domain.report import Failure, Report
from conductor.domain.run import Status
from conductor.domain.telling import Telling
from conductor.domain.verdict import Verdict
from conductor.ports.store import RunRow
from conductor.reports.telling import LONGEST, telling

URL = "https://conductor.example.org"
BEGUN = StepRecord(run=RUN.id, attempt=1, name="await-tests", subject="tests", started_at=START)


def told(report: Report) -> Telling:
    row = RunRow(
        run=report.run,
        status=Status.ENDED,
        outcome=report.outcome,
        started_at=START,
        ended_at=report.ended_at,
    )
    return telling(row, report.steps, report, URL)


def at_work(*steps: StepRecord) -> Telling:
    return telling(RunRow(run=RUN, status=Status.RUNNING, started_at=START), steps, None, URL)


def test_a_run_that_waits_or_works_says_where_it_stands():
    waiting = telling(RunRow(run=RUN, status=Status.QUEUED), (), None, URL)
    assert (waiting.title, waiting.verdict) == ("waiting for its turn", None)
    working = at_work(BEGUN)
    assert working.title == "at work: await-tests"
    assert "| `await-tests tests` | at work |" in working.summary
    assert f"{URL}/runs/shop-k3v9qd" in working.body


def test_a_run_that_ended_says_how_with_its_stages_and_their_times():
    green = told(GREEN)
    assert (green.title, green.verdict, green.has_failures) == (
        "passed: tests: 2 passed, 1 skipped",
        Verdict.PASSED,
        False,
    )
    assert "| `make-image backend` | 28 s |" in green.summary
    assert green.body.startswith("## ✅ Conductor: passed")


def test_failures_are_shown_at_their_places_in_the_repository():
    [found] = told(RED).annotations
    assert (found.path, found.line, found.message) == ("tests/orders.test.js", 12, "expected 1 e-mail, got 0")
    assert found.title == "tests: orders > sends an e-mail"
    assert told(RED).has_failures


@pytest.mark.parametrize("file", ["", "/app/tests/x.py", "../x.py", "a/../../x", ".", "a\nb"])
def test_a_failure_outside_of_the_repository_has_no_place(file: str):
    elsewhere = replace(RED, failures=(Failure(suite="tests", case=replace(BAD, file=file)),))
    assert told(elsewhere).annotations == ()


def test_a_broken_run_says_what_to_do():
    assert "**What to do:** Read the service's log" in told(BROKEN).summary
    assert told(BROKEN).title == "broken: CrashLoopBackOff of backend"


def test_the_same_state_has_the_same_fingerprint_and_another_has_another():
    assert at_work(BEGUN).fingerprint == at_work(BEGUN).fingerprint
    ended = replace(BEGUN, ended_at=START + timedelta(seconds=3))
    assert (
        len({one.fingerprint for one in (at_work(), at_work(BEGUN), at_work(ended), told(GREEN), told(RED))})
        == 5
    )


def test_text_of_a_repository_stays_text_there():
    made = told(everywhere(HOSTILE))
    for text in (made.summary, made.body):
        left = re.sub(
            r"\]\(<https://(ours\.example|conductor\.example\.org)/[^<>\s]*>\)", "]", outside_of_code(text)
        )
        assert not re.search(r"@\w|#\d|GH-\d|www\.|https?://|<img|<!--|\*\*bold|\]\(http", left)
        assert "<!--" not in text


def test_no_credential_is_told():
    made = told(everywhere(f"a {TOKEN} b"))
    assert TOKEN not in repr(made).replace(repr(made.run), "")


def test_however_much_there_is_it_fits():
    many = tuple(
        Failure(suite="tests", case=replace(BAD, message="x" * 9000, name=f"n{number}"))
        for number in range(150)
    )
    made = told(replace(RED, failures=many))
    assert len(made.body) <= LONGEST
    assert len(made.summary) <= LONGEST
    assert len(made.annotations) == 100
    assert all(len(one.message) <= 4000 for one in made.annotations)
