"""When health checks are run and what their answers amount to: Compose's meaning, seen early."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from conductor.adapters.docker.watching.health import HealthChecks, Schedule
from conductor.domain.stack import Healthcheck
from conductor.domain.states import Health
from conductor.errors import NotFoundError, UnreachableError


def check(**times: float) -> Healthcheck:
    retries = int(times.pop("retries", 3))
    return Healthcheck(
        test=("CMD", "x"), retries=retries, **{k: timedelta(seconds=v) for k, v in times.items()}
    )


def play(schedule: Schedule, *, until: float, answers: float | None = None) -> list[tuple[float, Health]]:
    """Ask at the schedule's times; it is well from `answers` on. Returns the changes with their times."""
    elapsed, changes = 0.0, [(0.0, schedule.health)]
    while elapsed + schedule.delay(elapsed) <= until:
        elapsed += schedule.delay(elapsed) or 0.001
        schedule.answer(answers is not None and elapsed >= answers, elapsed, elapsed)
        if changes[-1][1] is not schedule.health:
            changes.append((elapsed, schedule.health))
    return changes


def test_a_service_that_is_ready_early_is_seen_early():
    ((_, before), (at, after)) = play(Schedule(check(interval=30)), until=60, answers=1)
    assert (before, after) == (Health.STARTING, Health.HEALTHY)
    assert at < 3


def test_one_that_never_answers_is_given_up_after_its_retries_at_compose_s_times_and_no_sooner():
    changes = play(Schedule(check(interval=10, retries=3)), until=60)
    assert changes[-1][1] is Health.UNHEALTHY
    assert changes[-1][0] == pytest.approx(30, abs=0.1)


def test_failures_in_the_start_period_count_for_nothing():
    changes = play(Schedule(check(interval=1, start_period=20, start_interval=2, retries=2)), until=60)
    assert changes[-1][0] > 20
    changes = play(
        Schedule(check(interval=1, start_period=20, start_interval=2, retries=2)), until=60, answers=19
    )
    assert changes[-1][1] is Health.HEALTHY


def test_a_healthy_service_is_asked_once_an_interval_and_falls_after_its_retries():
    schedule = Schedule(check(interval=5, retries=2))
    schedule.answer(True, 1, 1)
    assert schedule.delay(1) == 5
    schedule.answer(False, 6, 6)
    assert schedule.health is Health.HEALTHY
    schedule.answer(False, 11, 11)
    assert schedule.health is Health.UNHEALTHY
    schedule.answer(True, 16, 16)
    assert schedule.health is Health.HEALTHY


async def test_a_check_goes_on_while_the_engine_is_away_and_ends_with_the_container():
    answers = iter([UnreachableError("away"), (True, "well"), NotFoundError("gone")])
    changed, over = asyncio.Event(), asyncio.Event()

    async def probe() -> tuple[bool, str]:
        answer = next(answers)
        if isinstance(answer, NotFoundError):
            over.set()
        if isinstance(answer, Exception):
            raise answer
        return answer

    checks = HealthChecks()
    quick = check(interval=0.01, start_interval=0.01)
    checks.start("life", quick, age=0, probe=probe, changed=changed.set)
    async with asyncio.timeout(10):
        await changed.wait()
        assert (checks.reading("life").health, checks.reading("life").output) == (Health.HEALTHY, "well")
        await over.wait()
    await checks.stop({"life"})
    assert checks.reading("life").health is Health.HEALTHY
