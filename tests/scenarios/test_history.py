"""Tests over runs: what is in quarantine decides nothing, reports say what changed since green, and what runs cost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from conductor.domain.cost import Tariff
from conductor.domain.history import TestName
from conductor.domain.quarantine import Quarantined
from conductor.domain.results import Counts
from conductor.domain.run import Cleanup, Run
from conductor.domain.verdict import Verdict
from conductor.errors import NotFoundError, UsageError
from conductor.operations import history, stacks
from conductor.operations.history import Scope
from conductor.reports.terminal import to_text
from tests.scenarios.stage import BOUND_SECONDS, Stage
from tests.scenarios.troubled import HoldingStore

BREAKS = TestName(suite="tests", classname="tests", name="breaks")
DAY = timedelta(days=1)
RED = "tests/tests:fails"
TARIFF = Tariff(cpu_hour=3600.0, gib_hour=0.0, currency="EUR", unsaid_cpus=1.0)
"""A cpu second for 1."""


async def quarantine(stage: Stage, name: str = "breaks", *, days: int | None = None) -> Quarantined:
    until = stage.clock.now() + days * DAY if days else None
    return await history.quarantine(
        stage.world, name, repository=None, reason="flaky", until=until, principal="kim"
    )


async def test_a_failure_in_quarantine_is_a_note_and_the_run_passes(tmp_path: Path):
    async with Stage(tmp_path, fail=RED).launched() as stage:
        _, before = await stage.run()
        await quarantine(stage)
        run, after = await stage.run()
    report = stage.report(run)
    assert (before.verdict, after.verdict) == (Verdict.FAILED, Verdict.PASSED)
    assert report.suites[0].counts == Counts(passed=1, quarantined=1)
    assert report.failures == ()
    assert report.notes == ("in quarantine: tests: tests > breaks failed and decides nothing (flaky)",)


async def test_an_entry_that_is_over_or_removed_excuses_nothing(tmp_path: Path):
    async with Stage(tmp_path, fail=RED).launched() as stage:
        await stage.run(cleanup=Cleanup.ALWAYS)
        await quarantine(stage, days=1)
        stage.clock.advance(2 * DAY)
        _, over = await stage.run(cleanup=Cleanup.ALWAYS)
        await quarantine(stage)
        await history.release(stage.world, "breaks", repository=None)
        _, removed = await stage.run(cleanup=Cleanup.ALWAYS)
    assert (over.verdict, removed.verdict) == (Verdict.FAILED, Verdict.FAILED)


async def test_a_list_that_changes_after_the_tests_were_judged_changes_no_verdict(tmp_path: Path):
    stage = Stage(tmp_path, fail=RED, store=HoldingStore)
    async with stage.launched():
        await stage.run()
        await quarantine(stage)
        stage.store.hold_at = "capture-logs"
        run = await stage.request()
        await stage.start(run)
        await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
        await history.release(stage.world, "breaks", repository=None)
    async with stage.launched():
        outcome = await stage.resume(run)
    assert outcome.verdict is Verdict.PASSED
    assert len(stage.report(run).notes) == 1


async def test_only_tests_that_a_run_knows_can_be_put_in_quarantine(tmp_path: Path):
    async with Stage(tmp_path, fail=RED).launched() as stage:
        with pytest.raises(NotFoundError, match="no runs yet"):
            await quarantine(stage)
        await stage.run()
        with pytest.raises(NotFoundError, match="'brakes'"):
            await quarantine(stage, "brakes")
        for name in ("breaks", "tests > breaks", "tests: tests > breaks"):
            assert (await quarantine(stage, name)).test == BREAKS


async def test_a_name_that_several_tests_have_is_not_guessed(tmp_path: Path):
    plan = """
version: 1
tests:
  - {name: api, image: node, command: [yarn, api]}
  - {name: web, image: node, command: [yarn, web]}
"""
    async with Stage(tmp_path, plan=plan).launched() as stage:
        await stage.run()
        with pytest.raises(UsageError, match="api: "):
            await quarantine(stage, "works")


async def test_a_quarantine_needs_a_reason_and_an_end_to_come(tmp_path: Path):
    async with Stage(tmp_path, fail=RED).launched() as stage:
        await stage.run()
        with pytest.raises(UsageError, match="reason"):
            await history.quarantine(
                stage.world, "breaks", repository=None, reason=" ", until=None, principal="kim"
            )
        with pytest.raises(UsageError, match="over already"):
            await history.quarantine(
                stage.world,
                "breaks",
                repository=None,
                reason="flaky",
                until=stage.clock.now(),
                principal="kim",
            )


async def test_a_test_that_is_red_now_is_told_with_the_run_since_which_it_is(tmp_path: Path):
    async with Stage(tmp_path, fail=RED).launched() as stage:
        red, _ = await stage.run()
        found = await history.failing_tests(stage.world, Scope())
        (record,) = found.records
    assert (record.test, record.first_red.run, found.runs) == (BREAKS, red.id, 1)
    assert record.pass_rate == 0.0


async def test_a_red_run_says_what_changed_since_the_last_green_one(tmp_path: Path):
    before, now = Stage(tmp_path / "green"), Stage(tmp_path / "red", fail=RED)
    async with before.launched():
        green, _ = await before.run()
    now.store = before.store
    now.world = replace(now.world, store=before.store, history=before.world.history)
    now.clock.advance(DAY)
    async with now.launched():
        red, outcome = await now.run()
    since = now.report(red).since_green
    assert outcome.verdict is Verdict.FAILED
    assert (since.run, since.branch, since.newly_failing) == (green.id, "main", ())
    assert f"last green on main: {green.id}" in to_text(now.report(red))
    assert before.report(green).since_green is None


async def test_a_run_says_what_it_costs_and_its_stack_what_it_costs_until_now(tmp_path: Path):
    async with Stage(tmp_path, tariff=TARIFF).launched() as stage:
        run, _ = await stage.run()
        cost = stage.report(run).cost
        stage.clock.advance(timedelta(seconds=100))
        await stacks.sleep(stage.world, run.id)
        stage.clock.advance(timedelta(seconds=1000))
        asleep = await price_of(stage, run)
        await stacks.wake(stage.world, run.id)
        stage.clock.advance(timedelta(seconds=50))
        awake = await price_of(stage, run)
    services = 2
    assert cost.price == pytest.approx(services * cost.seconds, abs=5)
    assert services * 100 <= asleep <= services * 130
    assert services * 49 <= awake - asleep <= services * 60


async def price_of(stage: Stage, run: Run) -> float:
    (view,) = await stacks.list_stacks(stage.world)
    assert view.info.run == run.id
    assert view.cost is not None
    return view.cost.price


async def test_a_run_that_never_had_a_place_costs_nothing(tmp_path: Path):
    async with Stage(tmp_path, plan="version: 2").launched() as stage:
        run, _ = await stage.run()
    assert stage.report(run).cost is None
