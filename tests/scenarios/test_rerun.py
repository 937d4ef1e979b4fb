"""A rerun: the failed tests alone, all tests, or a new stack, always with the very same images."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from conductor.domain.event import Kind
from conductor.domain.lease import NamespaceStatus
from conductor.domain.run import Run
from conductor.domain.run import Stage as From
from conductor.domain.verdict import Outcome, Verdict
from conductor.errors import ConflictError, NotFoundError, RefusedError, UsageError
from conductor.operations import rerun, runs, stacks, start_run
from conductor.ports.engine import Place
from tests.scenarios.stage import BOUND_SECONDS, COMPOSE, SHOP, Stage

PLAN = """
version: 1
tests: {command: [yarn, test], rerun: [yarn, test, "{names}"], timeout: 10m}
"""


async def again(stage: Stage, run: Run, **asked: object) -> tuple[Run, Outcome]:
    attempt = await rerun.request(stage.world, run.id, principal="kim", **asked)  # type: ignore[arg-type]
    handle = await rerun.begin(attempt)
    return attempt, await asyncio.wait_for(handle.result(), BOUND_SECONDS)


def started(stage: Stage, run: Run) -> set[str]:
    return set(stage.namespaces[run.namespace].workloads)


async def test_only_what_failed_runs_again_in_the_stack_that_was_kept(tmp_path: Path):
    async with Stage(tmp_path, plan=PLAN, fail="tests/tests:fails").launched() as stage:
        run, first = await stage.run()
        before = stage.namespaces[run.namespace].workloads["backend"]
        attempt, second = await again(stage, run, failed_only=True)
    assert (first.verdict, second.verdict) == (Verdict.FAILED, Verdict.PASSED)
    assert {service.name for service in stage.report(run, 2).services} == {"redis", "backend"}
    assert attempt.namespace == run.namespace
    assert stage.namespaces[run.namespace].workloads["backend"] == before
    assert started(stage, run) == {"redis", "backend", "tests", "tests-2"}
    assert any("only the failed tests" in note for note in stage.report(run, 2).notes)


async def test_the_images_of_a_rerun_are_the_same_and_nothing_is_built(tmp_path: Path):
    async with Stage(tmp_path, plan=PLAN).launched() as stage:
        run, _ = await stage.run()
        built = [event for event in stage.told(run) if event[0] is Kind.BUILD_STARTED]
        await again(stage, run, from_stage=From.STACK)
        assert [event for event in stage.told(run) if event[0] is Kind.BUILD_STARTED] == built
    digests = [{image.name: image.digest for image in stage.report(run, n).images} for n in (1, 2)]
    assert digests[0] == digests[1]
    assert digests[0]


async def test_from_the_stack_on_a_new_one_is_raised_and_the_old_one_goes(tmp_path: Path):
    async with Stage(tmp_path, plan=PLAN).launched() as stage:
        run, _ = await stage.run()
        attempt, outcome = await again(stage, run, from_stage=From.STACK)
    assert outcome.verdict is Verdict.PASSED
    assert set(stage.namespaces) == {attempt.namespace} != {run.namespace}


async def test_from_the_build_on_everything_is_done_once_more_at_the_same_commit(tmp_path: Path):
    async with Stage(tmp_path, plan=PLAN).launched() as stage:
        run, _ = await stage.run()
        attempt, outcome = await again(stage, run, from_stage=From.BUILD)
    assert (outcome.verdict, attempt.source) == (Verdict.PASSED, run.source)
    assert stage.report(run, 2).images


async def test_a_rerun_of_a_rerun_of_failed_tests_has_all_suites_again(tmp_path: Path):
    async with Stage(tmp_path, plan=PLAN, fail="tests/tests:fails").launched() as stage:
        run, _ = await stage.run()
        await again(stage, run, failed_only=True)
        third, outcome = await again(stage, run)
    assert (third.attempt, third.home, outcome.verdict) == (3, 1, Verdict.PASSED)
    assert started(stage, run) >= {"tests-2", "tests-3"}


async def test_where_nothing_failed_there_is_nothing_to_run_again_and_no_attempt(tmp_path: Path):
    async with Stage(tmp_path, plan=PLAN).launched() as stage:
        run, _ = await stage.run()
        with pytest.raises(RefusedError, match="no test case is on record"):
            await rerun.request(stage.world, run.id, failed_only=True)
        row = await stage.store.find_run(run.id)
    assert row
    assert row.run.attempt == 1


async def test_a_stack_that_is_gone_is_said_with_what_to_do(tmp_path: Path):
    async with Stage(tmp_path, plan=PLAN).launched() as stage:
        run, _ = await stage.run()
        await stacks.delete(stage.world, run.id)
        with pytest.raises(NotFoundError, match="is gone") as gone:
            await rerun.request(stage.world, run.id)
    assert "--from stack" in gone.value.remedy


async def test_a_run_that_has_not_ended_is_not_rerun(tmp_path: Path):
    async with Stage(tmp_path, plan=PLAN, fail="tests:hangs").launched() as stage:
        run = await stage.request()
        await stage.start(run)
        await stage.until(run, Kind.SUITE_STARTED, "tests")
        with pytest.raises(ConflictError, match="has not ended"):
            await rerun.request(stage.world, run.id)
        await stage.cancel(run)


async def test_failed_tests_alone_need_the_kept_stack(tmp_path: Path):
    async with Stage(tmp_path, plan=PLAN).launched() as stage:
        with pytest.raises(UsageError, match="kept stack"):
            await rerun.request(stage.world, failed_only=True, from_stage=From.STACK)


async def test_the_latest_run_of_a_place_is_found_without_a_name(tmp_path: Path):
    async with Stage(tmp_path, plan=PLAN).launched() as stage:
        await stage.run()
        latest, _ = await stage.run()
        attempt = await rerun.request(stage.world, location=SHOP)
    assert attempt.id == latest.id


async def test_a_sleeping_stack_is_woken_first(tmp_path: Path):
    async with Stage(tmp_path, plan=PLAN).launched() as stage:
        run, _ = await stage.run()
        await stacks.sleep(stage.world, run.id)
        _, outcome = await again(stage, run)
    assert outcome.verdict is Verdict.PASSED


async def test_a_pinned_stack_stays_pinned(tmp_path: Path):
    async with Stage(tmp_path, plan=PLAN.replace("tests:", "cleanup: always\ntests:")).launched() as stage:
        run, _ = await stage.run(cleanup="keep")
        await stacks.pin(stage.world, run.id)
        await again(stage, run)
        (info,) = await stage.engine.namespaces()
    assert info.lease
    assert (info.lease.expires_at, info.lease.status) == (None, NamespaceStatus.KEPT)


async def test_a_rerun_that_was_cut_off_is_gone_on_with_and_starts_nothing_twice(tmp_path: Path):
    stage = Stage(tmp_path, plan=PLAN, compose=COMPOSE)
    async with stage.launched():
        run, _ = await stage.run()
        attempt = await rerun.request(stage.world, run.id)
        await rerun.begin(attempt)
        await stage.until_told(attempt, Kind.SUITE_STARTED)
    async with stage.launched():
        _, handle = await start_run.resume(stage.world, run.id)
        outcome = await asyncio.wait_for(handle.result(), BOUND_SECONDS)
    assert outcome.verdict is Verdict.PASSED
    assert started(stage, run) == {"redis", "backend", "tests", "tests-2"}


async def test_a_rerun_that_is_cancelled_ends_and_leaves_the_kept_stack(tmp_path: Path):
    async with Stage(tmp_path, plan=PLAN, fail="tests/tests-2:hangs").launched() as stage:
        run, _ = await stage.run()
        attempt = await rerun.request(stage.world, run.id)
        await rerun.begin(attempt)
        await stage.until_told(attempt, Kind.SUITE_STARTED)
        outcome = await stage.cancel(run)
        states = await stage.engine.states(Place(namespace=run.namespace, run=run.id))
    assert outcome.verdict is Verdict.CANCELLED
    assert states["backend"].phase == "running"


async def test_who_follows_a_rerun_sees_its_end_and_not_the_one_before(tmp_path: Path):
    async with Stage(tmp_path, plan=PLAN).launched() as stage:
        run, _ = await stage.run()
        attempt, _ = await again(stage, run)
        after = await rerun.last_event(stage.world, attempt)
        seen = [event async for event in runs.follow_events(stage.world, run.id)]
    ends = [event for event in seen if event.kind is Kind.RUN_ENDED]
    assert len(ends) == len((run, attempt))
    assert next(event.kind for event in seen if event.seq > after) is Kind.RUN_REQUESTED
    assert replace(run, attempt=2, rerun=attempt.rerun, requested_at=attempt.requested_at) == attempt
