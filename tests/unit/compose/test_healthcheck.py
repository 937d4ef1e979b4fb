from datetime import timedelta
from typing import Any

import pytest
from tests.unit.compose.conftest import Repository

from conductor.domain.stack import Healthcheck

OPEN = ("interval", "timeout", "start_period", "start_interval", "retries")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("curl -f x || exit 1", ("CMD-SHELL", "curl -f x || exit 1")),
        ("[CMD, curl, x]", ("CMD", "curl", "x")),
        ("[CMD-SHELL, curl x]", ("CMD-SHELL", "curl x")),
        ("NONE", ("CMD-SHELL", "NONE")),
    ],
)
def test_every_form_of_a_test(repository: Repository, written: str, words: Any):
    check = repository.service(f"healthcheck: {{test: {written}}}").healthcheck
    assert check == Healthcheck(test=words, inherited=OPEN)


def test_without_a_test_it_is_the_images_own_at_other_times(repository: Repository):
    check = repository.service("healthcheck: {interval: 5s, retries: 9}").healthcheck
    assert check == Healthcheck(
        test=(),
        interval=timedelta(seconds=5),
        retries=9,
        inherited=("timeout", "start_period", "start_interval"),
    )


def test_a_check_that_says_nothing_is_none(repository: Repository):
    service = repository.service("healthcheck: {}")
    assert service.healthcheck is None
    assert not service.healthcheck_disabled


def test_what_a_file_leaves_open_is_the_images():
    own = Healthcheck(test=("CMD", "own"), interval=timedelta(seconds=7), retries=9)
    check = Healthcheck(test=(), interval=timedelta(seconds=1), inherited=("retries",))
    assert check.over(own) == Healthcheck(test=("CMD", "own"), interval=timedelta(seconds=1), retries=9)
    assert check.over(None) is None
    other = Healthcheck(test=("CMD", "other"), inherited=("interval",))
    assert other.over(None) == other
    assert other.over(own) == Healthcheck(test=("CMD", "other"), interval=timedelta(seconds=7))


def test_times_and_retries(repository: Repository):
    service = repository.service(
        "healthcheck: {test: x, interval: 1m30s, timeout: 500ms, retries: '7', start_period: 1.5h, start_interval: 2s}"
    )
    assert service.healthcheck == Healthcheck(
        test=("CMD-SHELL", "x"),
        interval=timedelta(seconds=90),
        timeout=timedelta(milliseconds=500),
        retries=7,
        start_period=timedelta(minutes=90),
        start_interval=timedelta(seconds=2),
    )


@pytest.mark.parametrize("written", ["{disable: true}", "{test: [NONE]}", "{test: x, disable: true}"])
def test_a_check_that_is_switched_off(repository: Repository, written: str):
    service = repository.service(f"healthcheck: {written}")
    assert service.healthcheck is None
    assert service.healthcheck_disabled


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{test: x, retries: -1}", "below nought"),
        ("{interval: }", "`interval` has no value"),
        ("{test: [curl, x]}", "a test is a command"),
        ("{test: [CMD]}", "a test is a command"),
        ("{test: x, interval: 10}", "expected text"),
        ("{test: x, interval: '10'}", "no duration"),
        ("{test: x, interval: -5s}", "no duration"),
        ("{test: x, retries: many}", "whole number"),
        ("{test: x, intervall: 5s}", "Did you mean `interval`?"),
        ("[x]", "expected a mapping"),
    ],
)
def test_what_is_no_health_check_is_said(repository: Repository, written: str, said: str):
    (problem,) = repository.problems(f"healthcheck: {written}")
    assert said in problem


@pytest.mark.parametrize(
    ("written", "duration"),
    [
        ("10s", timedelta(seconds=10)), ("1m", timedelta(minutes=1)), ("1h30m", timedelta(minutes=90)), ("2d", timedelta(days=2)),
        ("1w", timedelta(weeks=1)), ("'0'", timedelta(0)), (".5s", timedelta(milliseconds=500)), ("1ms", timedelta(milliseconds=1)),
    ],
)  # fmt: skip
def test_durations(repository: Repository, written: str, duration: Any):
    assert repository.service(f"stop_grace_period: {written}").stop_grace_period == duration


@pytest.mark.parametrize("written", ["10", "ten", "10 s", "1y", "99999999999999h"])
def test_what_is_no_duration_is_said(repository: Repository, written: str):
    assert len(repository.problems(f"stop_grace_period: {written}")) == 1
