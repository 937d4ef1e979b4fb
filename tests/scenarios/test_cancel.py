"""Stopping a run, wherever it is: grace, what there is to see, the stack by its rule, and a verdict."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conductor import durable
from conductor.domain.event import Kind
from conductor.domain.run import Cleanup, Run, Status
from conductor.domain.verdict import Outcome, Reason, Verdict
from conductor.errors import CancelledRunError, ConflictError
from conductor.operations import start_run
from tests.scenarios.stage import BOUND_SECONDS, Stage
from tests.scenarios.troubled import STEPS, HoldingStore


async def held(stage: Stage, step: str, **asked: object) -> Run:
    """Start a run and wait until it is at that step."""
    stage.store.hold_at = step
    run = await stage.request(**asked)
    await stage.start(run)
    await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
    return run


@pytest.mark.parametrize("step", STEPS)
async def test_a_run_that_is_cancelled_at_any_step_ends_with_a_report_and_leaves_nothing(
    tmp_path: Path, step: str
):
    stage = Stage(tmp_path, store=HoldingStore)
    async with stage.launched():
        run = await held(stage, step, cleanup=Cleanup.ALWAYS)
        outcome = await stage.cancel(run)
    async with stage.launched():
        assert await durable.orphans() == []
    assert (outcome.verdict, outcome.exit_code) == (Verdict.CANCELLED, 130)
    assert stage.report(run).outcome == outcome
    assert stage.store.runs[run.id, 1].status is Status.ENDED
    assert [kind for kind, _ in stage.told(run)].count(Kind.RUN_ENDED) == 1
    assert stage.namespaces == {}
    assert stage.store.marks == {}


@pytest.mark.parametrize("step", ["raise-stack", "await-tests/tests", "write-report"])
async def test_a_cancelled_run_keeps_its_stack_where_the_rule_says_so(tmp_path: Path, step: str):
    stage = Stage(tmp_path, store=HoldingStore)
    async with stage.launched():
        run = await held(stage, step)
        await stage.cancel(run)
    assert list(stage.namespaces) == [run.namespace]
    assert stage.report(run).lease == stage.namespaces[run.namespace].lease


async def test_a_run_that_was_never_started_is_cancelled_too(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run = await stage.request()
        outcome = await stage.cancel(run)
        with pytest.raises(ConflictError):
            await stage.start(run)
    assert outcome.verdict is Verdict.CANCELLED
    assert stage.report(run).outcome == outcome


async def test_who_waits_for_a_cancelled_run_is_told(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore)
    async with stage.launched():
        stage.store.hold_at = "await-tests/tests"
        run = await stage.request()
        handle = await stage.start(run)
        await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
        waiting = asyncio.create_task(handle.result())
        await stage.cancel(run)
        with pytest.raises(CancelledRunError):
            await asyncio.wait_for(waiting, BOUND_SECONDS)


async def test_what_stopped_tests_had_written_is_in_the_report(tmp_path: Path):
    plan = """
version: 1
tests: {command: [sh, -c, "echo one of two; echo '<testsuite><testcase name=\\"one\\"/></testsuite>' > reports/a.xml; sleep 3600"]}
"""
    stage = Stage(tmp_path, store=HoldingStore, plan=plan)
    async with stage.launched():
        run = await held(stage, "await-tests/tests")
        await stage.cancel(run)
        lines = [line.text async for line in stage.world.evidence.read_log(run.id, 1, workload="tests")]
    (suite,) = stage.report(run).suites
    assert lines == ["one of two"]
    assert (suite.outcome.verdict, suite.outcome.reason) == (Verdict.CANCELLED, Reason.CANCELLED)
    assert suite.counts.passed == 1
    assert suite.partial


async def test_a_superseded_run_says_so(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore)
    superseded = Outcome(verdict=Verdict.SUPERSEDED, reason=Reason.SUPERSEDED, message="by shop-newer2")
    async with stage.launched():
        run = await held(stage, "await-tests/tests")
        outcome = await start_run.cancel(stage.world, run.id, outcome=superseded)
    assert outcome == superseded
    assert stage.report(run).outcome == superseded
    assert stage.report(run).suites[0].outcome.verdict in (Verdict.SUPERSEDED, Verdict.PASSED)


async def test_cancelling_twice_is_one_teardown(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore)
    async with stage.launched():
        run = await held(stage, "raise-stack")
        first, second = await asyncio.gather(stage.cancel(run), stage.cancel(run))
    assert first == second
    assert [kind for kind, _ in stage.told(run)].count(Kind.RUN_ENDED) == 1


async def test_cancelling_a_run_that_has_ended_changes_nothing(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run, outcome = await stage.run()
        told = len(stage.store.log[run.id])
        assert await stage.cancel(run) == outcome
    assert len(stage.store.log[run.id]) == told


@pytest.mark.parametrize("step", ["clone", "raise-stack", "await-tests/tests", "settle-lease"])
async def test_a_run_whose_process_died_is_cancelled_by_another(tmp_path: Path, step: str):
    stage = Stage(tmp_path, store=HoldingStore)
    async with stage.launched():
        run = await held(stage, step, cleanup=Cleanup.ALWAYS)
    async with stage.launched():
        outcome = await stage.cancel(run)
        assert await durable.orphans() == []
    assert outcome.verdict is Verdict.CANCELLED
    assert stage.report(run).outcome == outcome
    assert stage.namespaces == {}


async def test_a_teardown_that_was_cut_off_is_what_is_resumed(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore)
    async with stage.launched():
        run = await held(stage, "await-tests/tests", cleanup=Cleanup.ALWAYS)
        stage.store.reached.clear()
        stage.store.hold_at = "capture-logs"
        cancelling = asyncio.create_task(start_run.cancel(stage.world, run.id))
        await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
    with pytest.raises((asyncio.CancelledError, CancelledRunError)):
        await cancelling
    async with stage.launched():
        outcome = await stage.resume(run)
    assert outcome.verdict is Verdict.CANCELLED
    assert stage.namespaces == {}


async def test_a_run_is_cancelled_in_its_second_attempt(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore, fail="tests:Evicted")
    async with stage.launched():
        run = await stage.request(cleanup=Cleanup.ALWAYS)
        await stage.start(run)
        await stage.until_attempt(run, 2)
        outcome = await stage.cancel(run)
    async with stage.launched():
        assert await durable.orphans() == []
    assert outcome.verdict is Verdict.CANCELLED
    assert stage.report(run, 2).outcome == outcome
    assert stage.namespaces == {}
