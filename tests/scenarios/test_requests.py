"""Asking for a run, going on with one that was interrupted, and reading it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from conductor import durable
from conductor.domain.event import Kind
from conductor.domain.report import LogLine
from conductor.domain.run import Cleanup, Run, Status
from conductor.domain.verdict import Verdict
from conductor.errors import ConflictError, NotFoundError, RunError, UsageError
from conductor.operations import runs, start_run
from tests.scenarios.stage import BOUND_SECONDS, PLAN, Stage
from tests.scenarios.troubled import HoldingStore

T = TypeVar("T")


async def interrupted(stage: Stage, step: str = "await-tests/tests", **asked: object) -> Run:
    """Leave a run behind whose process died in that step."""
    stage.store.hold_at = step
    async with stage.launched():
        run = await stage.request(**asked)
        await stage.start(run)
        await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
    stage.store.reached.clear()
    return run


async def collected(items: AsyncIterator[T]) -> list[T]:
    async with asyncio.timeout(BOUND_SECONDS):
        return [item async for item in items]


async def test_the_same_request_goes_on_with_the_run_that_was_interrupted(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore)
    run = await interrupted(stage, cleanup=Cleanup.KEEP)
    async with stage.launched():
        again, outcome = await stage.run(cleanup=Cleanup.KEEP)
    assert again == run
    assert outcome.verdict is Verdict.PASSED
    assert (Kind.RUN_RESUMED, "") in stage.told(run)


@pytest.mark.parametrize(
    "asked",
    [{"environment": "dev"}, {"keep_for": timedelta(hours=1)}, {"variables": (("A", "b"),)}, {"ref": "main"}],
)
async def test_another_request_is_another_run(tmp_path: Path, asked: dict[str, object]):
    stage = Stage(tmp_path, store=HoldingStore)
    run = await interrupted(stage)
    async with stage.launched():
        other = await stage.request(**asked)
    assert other.id != run.id


async def test_a_run_that_is_alive_is_not_joined_by_the_same_request(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore)
    stage.store.hold_at = "await-tests/tests"
    async with stage.launched():
        run = await stage.request()
        await stage.start(run)
        await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
        assert (await stage.request()).id != run.id


async def test_a_run_that_was_resumed_belongs_to_who_resumed_it(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore)
    run = await interrupted(stage)
    stage.store.hold_at = "read-results/tests"
    async with stage.launched():
        await start_run.resume(stage.world, run.id)
        await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
        row = stage.store.runs[run.id, 1]
        assert row.executor == durable.executor()
        assert not await start_run.is_interrupted(row)
        assert (await stage.request()).id != run.id


async def test_a_run_that_was_being_stopped_is_not_gone_on_with_by_the_same_request(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore)
    run = await interrupted(stage)
    stage.store.hold_at = "capture-logs"
    async with stage.launched():
        cancelling = asyncio.create_task(start_run.cancel(stage.world, run.id))
        await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
    await asyncio.gather(cancelling, return_exceptions=True)
    async with stage.launched():
        other, outcome = await stage.run()
    assert other.id != run.id
    assert outcome.verdict is Verdict.PASSED


async def test_without_a_name_the_latest_interrupted_run_is_resumed(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore)
    run = await interrupted(stage)
    async with stage.launched():
        resumed, handle = await start_run.resume(stage.world, None)
        outcome = await asyncio.wait_for(handle.result(), BOUND_SECONDS)
        with pytest.raises(NotFoundError):
            await start_run.resume(stage.world, None)
    assert resumed == run
    assert outcome.verdict is Verdict.PASSED


async def test_a_run_that_was_asked_for_and_never_started_is_started_by_resume(tmp_path: Path):
    stage = Stage(tmp_path)
    async with stage.launched():
        run = await stage.request()
    async with stage.launched():
        assert (await stage.resume(run)).verdict is Verdict.PASSED


async def test_a_run_that_has_ended_is_not_resumed(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run, _ = await stage.run()
        with pytest.raises(ConflictError):
            await start_run.resume(stage.world, run.id)


async def test_a_secret_that_the_resuming_process_lacks_is_said_at_once_and_nothing_is_lost(tmp_path: Path):
    with_secret = PLAN + "secrets: [API_KEY]\n"
    stage = Stage(tmp_path, store=HoldingStore, plan=with_secret, secrets={"API_KEY_QA": "hunter2hunter2"})
    run = await interrupted(stage)
    without = Stage(tmp_path, plan=with_secret)
    without.share(stage)
    async with without.launched():
        with pytest.raises(RunError, match="API_KEY_QA"):
            await without.resume(run)
    async with stage.launched():
        assert (await stage.resume(run)).verdict is Verdict.PASSED


async def test_a_run_is_found_by_its_beginning_and_where_none_is_named_the_latest(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        first = await stage.request()
        stage.clock.advance(timedelta(seconds=1))
        second = await stage.request(environment="dev")
        assert (await runs.find(stage.world, first.id[:-1])).run == first
        assert (await runs.find(stage.world, None)).run == second
        with pytest.raises(UsageError):
            await runs.find(stage.world, "shop-")
        with pytest.raises(NotFoundError):
            await runs.find(stage.world, "nothing")


async def test_a_run_is_shown_whole(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run, outcome = await stage.run()
        view = await runs.show(stage.world, run.id)
        listed = await runs.list_runs(stage.world, status=Status.ENDED, verdict=Verdict.PASSED)
    assert view.row.outcome == outcome
    assert view.report == stage.report(run)
    assert [result.suite for result in view.results] == ["tests"]
    assert [image.name for image in view.images] == ["backend", "tests/tests"]
    assert {step.name for step in view.steps} >= {"clone", "raise-stack", "finish-run"}
    assert [row.run for row in listed] == [run]


async def test_a_report_that_is_not_there_yet_is_said_with_what_to_do(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run = await stage.request()
        with pytest.raises(NotFoundError, match="no report yet"):
            await runs.report(stage.world, run.id)


async def test_events_are_followed_from_the_first_to_the_last(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run = await stage.request()
        following = asyncio.create_task(collected(runs.follow_events(stage.world, run.id)))
        await (await stage.start(run)).result()
        events = await asyncio.wait_for(following, BOUND_SECONDS)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[-1].kind is Kind.RUN_ENDED


async def test_following_a_run_after_its_last_event_ends(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run, _ = await stage.run()
        last = stage.store.log[run.id][-1].seq
        assert await collected(runs.follow_events(stage.world, run.id, after=last)) == []


async def test_events_of_both_attempts_are_followed(tmp_path: Path):
    async with Stage(tmp_path, fail="tests:Evicted").launched() as stage:
        run = await stage.request()
        following = asyncio.create_task(collected(runs.follow_events(stage.world, run.id)))
        await (await stage.start(run)).result()
        events = await asyncio.wait_for(following, BOUND_SECONDS)
    assert [event.data["again"] for event in events if event.kind is Kind.RUN_ENDED] == [True, False]


async def test_logs_of_both_attempts_are_followed(tmp_path: Path):
    async with Stage(tmp_path, fail="tests:Evicted").launched() as stage:
        run = await stage.request()
        following = asyncio.create_task(collected(runs.logs(stage.world, run.id, follow=True)))
        await (await stage.start(run)).result()
        lines = await asyncio.wait_for(following, BOUND_SECONDS)
        both = [await collected(stage.world.evidence.read_log(run.id, attempt)) for attempt in (1, 2)]
    assert all(both)
    assert sorted(lines, key=lambda line: line.at) == sorted(both[0] + both[1], key=lambda line: line.at)


async def test_logs_are_followed_without_a_gap_and_no_line_twice(tmp_path: Path):
    stage = Stage(tmp_path)
    async with stage.launched():
        run = await stage.request()
        await stage.world.store.set_status(run, Status.RUNNING, at=stage.clock.now())
        following = asyncio.create_task(collected(runs.logs(stage.world, run.id, follow=True)))
        for number in range(40):
            line = LogLine(workload=f"service-{number % 2}", at=stage.clock.now(), text=str(number))
            await stage.world.evidence.append_log(run.id, 1, [line])
            if number % 4 == 3:  # engines give one time to a whole chunk
                stage.clock.advance(timedelta(seconds=1))
        await stage.cancel(run)
        lines = await asyncio.wait_for(following, BOUND_SECONDS)
    assert sorted(int(line.text) for line in lines) == list(range(40))


async def test_the_last_lines_of_one_log_are_shown(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run, _ = await stage.run()
        lines = await collected(runs.logs(stage.world, run.id, workload="redis", tail=1))
        with pytest.raises(NotFoundError, match="redis"):
            await collected(runs.logs(stage.world, run.id, workload="mysql"))
    assert [line.text for line in lines] == ["redis is listening"]
