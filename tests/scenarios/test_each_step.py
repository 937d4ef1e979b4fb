"""The three recipes for the integration test: each step fails, the process dies before each step, each step is done twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conductor import durable
from conductor.domain.blueprint import Blueprint
from conductor.domain.event import Kind
from conductor.domain.report import Captured
from conductor.domain.run import Cleanup, Status
from conductor.domain.verdict import Fault, Outcome, Reason, Verdict
from conductor.durable.standing import standings
from conductor.errors import RunError, StateError
from conductor.operations.replicas import end_silent
from conductor.operations.sweep import sweep
from conductor.steps.await_tests import await_tests
from conductor.steps.capture_logs import capture_logs
from conductor.steps.clone import clone
from conductor.steps.create_namespace import create_namespace
from conductor.steps.delete_namespace import delete_namespace
from conductor.steps.finish_run import finish_run
from conductor.steps.make_image import make_image
from conductor.steps.raise_stack import raise_stack
from conductor.steps.read_plan import read_plan
from conductor.steps.read_results import read_results
from conductor.steps.settle_lease import settle_lease
from conductor.steps.start_run import start_run
from conductor.steps.start_tests import start_tests
from conductor.steps.stop_run import stop_run
from conductor.steps.stop_tests import stop_tests
from conductor.steps.sync_secrets import sync_secrets
from conductor.steps.write_report import write_report
from conductor.workflows.build_image import build_image
from conductor.workflows.teardown import teardown
from tests.scenarios.stage import BOUND_SECONDS, Stage
from tests.scenarios.troubled import STEPS, CountingEngine, FailingStore, HoldingStore

TO_THE_VERDICT = STEPS[: STEPS.index("capture-logs")]
LEAVE_THE_STACK_TO_ITS_MARK = {"settle-lease", "delete-namespace"}
BROKEN_BY_THE_REPOSITORY = RunError("it is wrong", reason="Refused", fault="repository")


@pytest.mark.parametrize("step", STEPS[:-1])
@pytest.mark.parametrize(
    "error", [BROKEN_BY_THE_REPOSITORY, ZeroDivisionError("ours")], ids=["refused", "unexpected"]
)
async def test_a_run_ends_with_verdict_and_report_whichever_step_fails(
    tmp_path: Path, step: str, error: Exception
):
    stage = Stage(tmp_path, store=FailingStore)
    async with stage.launched():
        stage.store.fails_at, stage.store.error = step, error
        run, outcome = await stage.run(cleanup=Cleanup.ALWAYS)
        attempt = max(number for _, number in stage.store.runs)
    assert outcome.verdict is (Verdict.BROKEN if step in TO_THE_VERDICT else Verdict.PASSED)
    assert attempt == (2 if outcome.fault is Fault.PLATFORM else 1)
    assert stage.store.runs[run.id, attempt].outcome == outcome
    assert stage.store.log[run.id][-2].kind is Kind.RUN_ENDED
    assert step == "write-report" or stage.report(run, attempt).outcome == outcome
    assert step.partition("/")[0] in {one.name for one in await stage.store.steps(run.id, 1) if one.error}
    assert bool(stage.namespaces) is (step in LEAVE_THE_STACK_TO_ITS_MARK)


@pytest.mark.parametrize("step", sorted(LEAVE_THE_STACK_TO_ITS_MARK))
async def test_what_a_failing_end_leaves_behind_goes_when_its_lease_ends(tmp_path: Path, step: str):
    stage = Stage(tmp_path, store=FailingStore)
    async with stage.launched():
        stage.store.fails_at = step
        await stage.run(cleanup=Cleanup.ALWAYS)
        stage.clock.advance(timedelta(days=2))
        await sweep(stage.world)
    assert stage.namespaces == {}


async def test_a_run_that_could_not_say_how_it_ended_says_so_when_it_is_resumed(tmp_path: Path):
    stage = Stage(tmp_path, store=FailingStore)
    async with stage.launched():
        stage.store.fails_at, stage.store.error = "finish-run", StateError("the disk is full")
        run = await stage.request()
        handle = await stage.start(run)
        with pytest.raises(StateError):
            await asyncio.wait_for(handle.result(), BOUND_SECONDS)
    stage.store.fails_at = ""
    async with stage.launched():
        outcome = await stage.resume(run)
    assert outcome.verdict is Verdict.PASSED
    assert stage.store.runs[run.id, 1].status is Status.ENDED
    assert run.namespace in stage.namespaces


async def test_a_run_that_could_not_say_how_it_ended_is_ended_by_the_server_once(tmp_path: Path):
    stage = Stage(tmp_path, store=FailingStore)
    async with stage.launched():
        stage.store.fails_at, stage.store.error = "finish-run", StateError("the disk is full")
        run = await stage.request()
        handle = await stage.start(run)
        with pytest.raises(StateError):
            await asyncio.wait_for(handle.result(), BOUND_SECONDS)
        stage.store.fails_at = ""
        ended, again = await end_silent(stage.world), await end_silent(stage.world)
        (teardown_id,) = [one.id for one in await standings() if one.id.startswith(run.teardown_id)]
        outcome = await asyncio.wait_for(durable.outcome_of(teardown_id, teardown), BOUND_SECONDS)
    assert (ended, again) == ([run.id], [])
    assert outcome.verdict is Verdict.PASSED
    assert stage.store.runs[run.id, 1].status is Status.ENDED


async def test_a_run_that_is_at_work_is_not_taken_for_a_silent_one(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore)
    stage.store.hold_at = "await-tests/tests"
    async with stage.launched():
        run = await stage.request()
        await stage.start(run)
        await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
        assert await end_silent(stage.world) == []


@pytest.mark.parametrize("step", STEPS)
async def test_a_run_whose_process_dies_before_a_step_goes_on_to_the_same_verdict(tmp_path: Path, step: str):
    stage = Stage(tmp_path, store=HoldingStore, engine=CountingEngine)
    stage.store.hold_at = step
    async with stage.launched():
        run = await stage.request(cleanup=Cleanup.ALWAYS)
        await stage.start(run)
        await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
        had_ended = Counter(stage.store.ended)
        made = Counter(stage.engine.made)
    async with stage.launched():
        outcome = await stage.resume(run)
        assert await durable.orphans() == []
    assert outcome.verdict is Verdict.PASSED
    assert set(stage.store.ended) == set(STEPS)
    assert not {one for one in had_ended if stage.store.begun[one] > 1 and not is_beside(one, step)}
    if "raise-stack" in had_ended and not is_beside("raise-stack", step):
        assert {one: stage.engine.made[one] for one in made} == made
    assert stage.namespaces == {}
    logged = [line.text async for line in stage.world.evidence.read_log(run.id, 1, workload="redis")]
    assert logged == ["redis is listening"]


def is_beside(one: str, other: str) -> bool:
    """Builds and the raising of the stack go on side by side: the kill may come between one's end and its record."""
    beside = {"make-image/backend", "make-image/tests/tests", "raise-stack"}
    return one in beside and other in beside


async def test_a_stack_that_is_half_up_when_the_process_dies_is_adopted(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore, fail="deploy/redis:slow=60")
    async with stage.launched():
        run = await stage.request()
        await stage.start(run)
        await stage.until(run, Kind.SERVICE_CHANGED, "redis")
    before = stage.namespaces[run.namespace].workloads["redis"].lives
    async with stage.launched():
        outcome = await stage.resume(run)
    assert outcome.verdict is Verdict.PASSED
    workloads = stage.namespaces[run.namespace].workloads
    assert workloads["redis"].lives == before
    assert [len(workload.lives) for workload in workloads.values()] == [1, 1, 1]


async def test_tests_that_ended_while_no_process_was_there_are_collected(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore)
    stage.store.hold_at = "await-tests/tests"
    async with stage.launched():
        run = await stage.request()
        await stage.start(run)
        await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
    stage.clock.advance(timedelta(hours=1))
    async with stage.launched():
        outcome = await stage.resume(run)
    assert outcome.verdict is Verdict.PASSED
    assert stage.report(run).suites[0].counts.passed == 1


async def test_the_time_limit_of_the_tests_counts_the_time_without_a_process(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore, fail="tests:hangs")
    stage.store.hold_at = "await-tests/tests"
    async with stage.launched():
        run = await stage.request()
        await stage.start(run)
        await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
    stage.clock.advance(timedelta(minutes=11))
    resumed_at = stage.clock.now()
    async with stage.launched():
        outcome = await stage.resume(run)
    assert outcome.reason is Reason.DEADLINE_EXCEEDED
    assert stage.clock.now() - resumed_at < timedelta(minutes=5)


@pytest.mark.parametrize("step", ["start-run", "create-namespace", "raise-stack", "finish-run"])
async def test_a_run_in_its_second_attempt_is_resumed_there(tmp_path: Path, step: str):
    stage = Stage(tmp_path, store=HoldingStore, fail="tests:Evicted")
    async with stage.launched():
        run = await stage.request()
        await stage.start(run)
        await stage.until(run, Kind.SUITE_ENDED, "tests")
        stage.store.hold_at = step if step != "finish-run" else ""
        if step == "finish-run":
            await stage.until_attempt(run, 2)
        else:
            await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
    async with stage.launched():
        outcome = await stage.resume(run)
        assert await durable.orphans() == []
    assert outcome.reason is Reason.EVICTED
    assert sorted(attempt for _, attempt in stage.store.runs) == [1, 2]
    assert list(stage.namespaces) == [f"{run.namespace}-2"]


async def test_each_step_done_twice_changes_nothing_on_the_engine(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore)
    passed = Outcome(verdict=Verdict.PASSED)
    async with stage.launched():
        run = await stage.request()

        async def twice(step: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
            await step(run, *args, **kwargs)
            left = dict(stage.namespaces)
            again = await step(run, *args, **kwargs)
            assert stage.namespaces == left, step
            return again

        await twice(start_run)
        await twice(clone)
        blueprint: Blueprint = await twice(read_plan)
        await twice(create_namespace, blueprint)
        await twice(sync_secrets, blueprint)
        for image in blueprint.images:
            await twice(make_image, image)
            await durable.start(build_image, run, image, id=image.name)
        await twice(raise_stack, blueprint, {image.name: image.name for image in blueprint.images})
        await twice(start_tests, blueprint, "tests", None)
        ending = await twice(await_tests, blueprint, "tests")
        result = await twice(read_results, blueprint, "tests", ending)
        await twice(stop_tests, passed)
        captured: Captured = await twice(capture_logs)
        lease = await twice(settle_lease, passed)
        await twice(write_report, passed, captured, lease)
        await twice(finish_run, passed, again=False)
        await twice(stop_run)
        await twice(delete_namespace)
        logged = [line.text async for line in stage.world.evidence.read_log(run.id, 1)]
    assert result.outcome.verdict is Verdict.PASSED
    assert [line for line, times in Counter(logged).items() if times > 1] == []
    assert stage.builder.builds == ["backend", "tests/tests"]
    assert stage.namespaces == {}
