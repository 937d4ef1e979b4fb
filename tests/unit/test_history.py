"""Tests over runs: flaky, slow, failing since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.domain.history import (
    Record,
    Sighting,
    Tested,
    TestName,
    code_of,
    failing,
    first_bad,
    flaky,
    in_one_run,
    newly_failing,
    records,
    slowest,
)
from conductor.domain.results import CaseStatus
from conductor.domain.run import Source

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PASSED, FAILED, ERROR, SKIPPED = (
    CaseStatus.PASSED,
    CaseStatus.FAILED,
    CaseStatus.ERROR,
    CaseStatus.SKIPPED,
)
LETTERS = {"p": PASSED, "f": FAILED, "e": ERROR, "s": SKIPPED}


def run(number: int, **known: Any) -> Tested:
    facts: dict[str, Any] = {"code": f"c{number}", "commit": f"c{number}", "branch": "main", **known}
    return Tested(run=f"shop-{number}", at=NOON + timedelta(minutes=number), **facts)


def seen(number: int, status: CaseStatus, name: str = "adds", **known: Any) -> Sighting:
    about = {word: known.pop(word) for word in ("flaky", "seconds") if word in known}
    return Sighting(
        test=TestName(suite="api", name=name), tested=run(number, **known), status=status, **about
    )


def row(letters: str, **known: Any) -> list[Sighting]:
    """One test, run after run."""
    return [seen(number, LETTERS[letter], **known) for number, letter in enumerate(letters)]


def record_of(sightings: list[Sighting]) -> Record:
    (record,) = records(sightings)
    return record


@pytest.mark.parametrize(
    ("letters", "since"),
    [
        ("ppff", 2),
        ("pfpf", 3),
        ("ff", 0),
        ("pfe", 1),
        ("pfsf", 1),
        ("pfs", 1),
        ("pp", None),
        ("fp", None),
        ("s", None),
        ("sf", 1),
    ],
)
def test_the_first_bad_run_begins_the_unbroken_red_row_at_the_end(letters: str, since: int | None):
    assert first_bad(row(letters)) == (None if since is None else run(since))


def test_both_results_on_the_same_commit_are_flaky_and_counted_once_each_commit():
    sightings = [seen(n, status, code="same") for n, status in enumerate((PASSED, FAILED, PASSED))]
    assert record_of(sightings).flaky == 1


def test_a_test_that_was_mended_is_not_flaky():
    assert flaky(records(row("ffpp"))) == []


def test_code_that_nobody_can_name_is_the_same_as_no_other():
    assert record_of([seen(1, PASSED, code=""), seen(2, FAILED, code="")]).flaky == 0


def test_a_test_that_passed_only_when_tried_again_is_flaky_but_not_twice_for_one_commit():
    assert record_of([seen(1, PASSED, flaky=True)]).flaky == 1
    both = [seen(1, PASSED, flaky=True, code="same"), seen(2, FAILED, code="same")]
    assert record_of(both).flaky == 1


def test_the_flakiest_come_first():
    once = [seen(1, PASSED, "once", flaky=True)]
    twice = [seen(1, PASSED, "twice", flaky=True), seen(2, PASSED, "twice", flaky=True)]
    assert [one.test.name for one in flaky(records([*once, *twice]))] == ["twice", "once"]


def test_skipped_is_neither_green_nor_red():
    record = record_of(row("psf"))
    assert (record.passed, record.failed, record.skipped, record.pass_rate) == (1, 1, 1, 0.5)
    assert record_of(row("s")).pass_rate is None


def test_the_slowest_come_first_and_what_was_skipped_took_no_time():
    quick = seen(1, PASSED, "quick", seconds=0.1)
    slow = [
        seen(1, PASSED, "slow", seconds=3.0),
        seen(2, PASSED, "slow", seconds=1.0),
        seen(3, SKIPPED, "slow"),
    ]
    found = slowest(records([quick, *slow, seen(1, SKIPPED, "never")]))
    assert [(one.test.name, one.mean_seconds, one.longest_seconds) for one in found] == [
        ("slow", 2.0, 3.0),
        ("quick", 0.1, 0.1),
    ]


def test_the_latest_to_become_red_come_first():
    old = [seen(number, FAILED, "old") for number in (1, 2, 3)]
    new = [seen(1, PASSED, "new"), seen(2, PASSED, "new"), seen(3, FAILED, "new")]
    found = failing(records([*old, *new]))
    assert [(one.test.name, one.first_red) for one in found] == [("new", run(3)), ("old", run(1))]


def test_a_red_test_that_later_runs_do_not_have_any_more_is_gone():
    assert failing(records([seen(1, FAILED, "removed"), seen(2, PASSED)])) == []


def test_a_rerun_of_failed_tests_alone_makes_no_other_test_gone():
    sightings = [seen(1, FAILED, "red"), seen(1, FAILED, "mended"), seen(2, PASSED, "mended", whole=False)]
    assert [one.test.name for one in failing(records(sightings))] == ["red"]


def test_of_several_results_in_one_run_the_worst_counts():
    sightings = [seen(1, PASSED), seen(1, FAILED), seen(1, SKIPPED)]
    assert [one.status for one in in_one_run(sightings)] == [FAILED]
    assert record_of(sightings).flaky == 0


def test_newly_failing_is_what_passed_in_the_green_run_and_nothing_else():
    green = [seen(1, PASSED, "a"), seen(1, SKIPPED, "b"), seen(1, PASSED, "c")]
    now = [seen(2, FAILED, "a"), seen(2, ERROR, "b"), seen(2, PASSED, "c"), seen(2, FAILED, "new")]
    assert newly_failing(now, green) == (TestName(suite="api", name="a"),)


def test_a_working_tree_with_changes_is_named_by_its_content():
    clean = Source(location="/shop", commit="c1")
    changed = Source(location="/shop", commit="c1", dirty=True, tree="t1")
    assert len({code_of(clean), code_of(changed), code_of(Source(location="/shop", tree="t1"))}) == 3
    assert code_of(Source(location="/shop", commit="c1", dirty=True)) == ""


@given(st.text(alphabet="pfes", min_size=1, max_size=30), st.randoms())
def test_the_order_in_which_runs_are_told_changes_nothing(letters: str, random: Any):
    sightings = row(letters)
    shuffled = random.sample(sightings, len(sightings))
    assert records(shuffled) == records(sightings)


@given(st.text(alphabet="pfes", min_size=1, max_size=30))
def test_nothing_after_the_first_bad_run_passed(letters: str):
    sightings = row(letters)
    bad = first_bad(sightings)
    ran = [one for one in sightings if one.status is not SKIPPED]
    assert (bad is not None) == bool(ran and ran[-1].is_red)
    assert not any(bad and one.tested.at >= bad.at and one.status is PASSED for one in sightings)
