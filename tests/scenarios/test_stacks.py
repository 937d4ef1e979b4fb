"""Kept stacks and their leases, and the sweeper that removes what is over."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from conductor.adapters.fake.engine import FakeEngine
from conductor.domain.budget import Budget
from conductor.domain.lease import Lease, NamespaceStatus
from conductor.domain.run import Run
from conductor.domain.scan import Scan, ScanState
from conductor.domain.states import Phase
from conductor.domain.verdict import Fault, Reason, Verdict
from conductor.errors import ConflictError, NotFoundError, UnreachableError, UsageError
from conductor.operations import stacks
from conductor.operations.sweep import sweep, sweep_until_empty
from conductor.ports.engine import Place
from tests.scenarios.stage import BOUND_SECONDS, Stage
from tests.scenarios.troubled import EngineThatLeaves, PublishingBuilder, ScanningRegistry

HOUR = timedelta(hours=1)
CLEAN = Scan(state=ScanState.DONE)
DAY = timedelta(days=1)
TWO_STACKS = {"budget": Budget(namespaces=2)}


def phases(stage: Stage, run: Run) -> dict[str, Phase]:
    now = stage.clock.now()
    workloads = stage.namespaces[run.namespace].workloads
    return {name: workload.state(now).phase for name, workload in workloads.items() if name != "tests"}


async def test_stacks_are_listed_first_to_end_first_and_the_pinned_last(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        pinned, _ = await stage.run(keep_for=HOUR)
        long, _ = await stage.run(keep_for=2 * DAY)
        short, _ = await stage.run(keep_for=HOUR)
        await stacks.pin(stage.world, pinned.id)
        views = await stacks.list_stacks(stage.world)
    assert [view.info.run for view in views] == [short.id, long.id, pinned.id]
    assert set(views[0].services) == {"redis", "backend", "tests"}


async def test_a_stack_is_found_by_run_namespace_or_beginning_and_not_by_what_several_have(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        first, _ = await stage.run()
        await stage.run()
        for name in (first.id, first.namespace, first.id[:-1], first.namespace[:-1]):
            assert (await stacks.find(stage.world, name)).run == first.id
        with pytest.raises(UsageError, match=first.namespace):
            await stacks.find(stage.world, "shop")
        with pytest.raises(NotFoundError, match=first.id):
            await stacks.find(stage.world, "nothing")


async def test_two_attempts_of_one_run_are_told_apart_by_their_namespaces(tmp_path: Path):
    async with Stage(tmp_path, fail="tests:Evicted").launched() as stage:
        run, _ = await stage.run()
        await left_behind(stage, run.namespace, run.id)
        with pytest.raises(UsageError, match=f"{run.namespace}-2"):
            await stacks.find(stage.world, run.id)
        assert (await stacks.find(stage.world, run.namespace)).name == run.namespace
        assert (await stacks.find(stage.world, f"{run.namespace}-2")).name == f"{run.namespace}-2"


async def test_a_lease_is_extended_from_its_end_and_from_now_where_that_is_past(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run, _ = await stage.run(keep_for=HOUR)
        before = stage.namespaces[run.namespace].lease
        lease = await stacks.extend(stage.world, run.id, by=HOUR)
        assert before is not None
        assert before.expires_at is not None
        assert lease.expires_at == before.expires_at + HOUR
        stage.clock.advance(DAY)
        assert (await stacks.extend(stage.world, run.id, by=HOUR)).expires_at == stage.clock.now() + HOUR
    assert stage.namespaces[run.namespace].lease == stage.store.marks[run.namespace]


async def test_a_pinned_stack_stays_until_it_is_released(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run, _ = await stage.run()
        await stacks.pin(stage.world, run.id)
        with pytest.raises(ConflictError):
            await stacks.extend(stage.world, run.id, by=HOUR)
        stage.clock.advance(1000 * DAY)
        assert (await sweep(stage.world)).left == 1
        await stacks.release(stage.world, run.id, keep_for=HOUR)
        stage.clock.advance(2 * HOUR)
        assert (await sweep(stage.world)).removed == [run.namespace]


async def test_a_stack_sleeps_and_wakes_in_the_order_of_its_dependencies(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run, _ = await stage.run()
        lease = await stacks.sleep(stage.world, run.id)
        assert lease.status is NamespaceStatus.SLEEPING
        assert set(phases(stage, run).values()) == {Phase.SLEEPING}
        async with asyncio.timeout(BOUND_SECONDS):
            lease = await stacks.wake(stage.world, run.id)
    assert lease.status is NamespaceStatus.KEPT
    assert set(phases(stage, run).values()) == {Phase.RUNNING}
    woken = {name: one.lives[-1].began_at for name, one in stage.namespaces[run.namespace].workloads.items()}
    assert woken["redis"] < woken["backend"]


async def test_waking_gives_up_on_what_never_gets_ready(tmp_path: Path):
    compose = """
services:
  redis: {image: redis, healthcheck: {test: [CMD, redis-cli, ping]}}
  backend: {image: node, depends_on: {redis: {condition: service_healthy}}, command: [sh, -c, "sleep infinity"]}
"""
    async with Stage(tmp_path, compose=compose).launched() as stage:
        run, _ = await stage.run()
        await stacks.sleep(stage.world, run.id)
        stage.never_healthy(run, "redis")
        with pytest.raises(UnreachableError, match="backend"):
            async with asyncio.timeout(BOUND_SECONDS):
                await stacks.wake(stage.world, run.id)


async def test_a_stack_in_which_a_run_is_at_work_is_neither_put_to_sleep_nor_woken(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        await left_behind(stage, "conductor-shop-aaaaaa", "shop-aaaaaa", keep_for=HOUR)
        for change in (stacks.sleep, stacks.wake):
            with pytest.raises(ConflictError, match="at work"):
                await change(stage.world, "shop-aaaaaa")


async def test_a_stack_is_deleted_with_its_checkout_and_its_evidence_stays(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run, _ = await stage.run()
        assert await stacks.delete(stage.world, run.id) > 0
        assert "report.md" in await stage.world.evidence.files(run.id, 1)
    assert stage.namespaces == {}
    assert stage.store.marks == {}
    assert not (tmp_path / "runs" / run.id / "1" / "checkout").exists()


async def test_the_logs_of_a_stack_come_from_the_engine_and_a_command_answers(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        run, _ = await stage.run()
        lines = [line async for line in stacks.logs(stage.world, run.id, service="redis")]
        answer = await stacks.exec(stage.world, run.id, "redis", ["sh", "-c", "echo hello; exit 3"])
    assert [line.text for line in lines] == ["redis is listening"]
    assert (answer.stdout, answer.exit_code) == (b"hello\n", 3)


async def test_the_sweeper_removes_what_is_over_and_nothing_else(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        short, _ = await stage.run(keep_for=HOUR)
        long, _ = await stage.run(keep_for=DAY)
        stage.clock.advance(2 * HOUR)
        swept = await sweep(stage.world)
    assert (swept.removed, swept.left, swept.failed) == ([short.namespace], 1, {})
    assert list(stage.namespaces) == [long.namespace]
    assert list(stage.store.marks) == [long.namespace]


async def test_what_a_killed_process_left_goes_when_its_lease_ends(tmp_path: Path):
    stage = Stage(tmp_path)
    await left_behind(stage, "conductor-shop-aaaaaa", "shop-aaaaaa", keep_for=HOUR)
    assert (await sweep(stage.world)).left == 1
    stage.clock.advance(2 * HOUR)
    assert (await sweep(stage.world)).removed == ["conductor-shop-aaaaaa"]


async def test_a_namespace_without_a_mark_goes_after_an_hour(tmp_path: Path):
    stage = Stage(tmp_path)
    await left_behind(stage, "conductor-shop-aaaaaa", "shop-aaaaaa")
    stage.clock.advance(HOUR - timedelta(minutes=1))
    assert (await sweep(stage.world)).removed == []
    stage.clock.advance(timedelta(minutes=2))
    assert (await sweep(stage.world)).removed == ["conductor-shop-aaaaaa"]


async def test_the_sweeper_never_touches_what_another_instance_made(tmp_path: Path):
    stage = Stage(tmp_path)
    other = FakeEngine(machine=stage.machine, clock=stage.clock, instance="another", misfortunes=())
    await left_behind(stage, "conductor-shop-bbbbbb", "shop-bbbbbb", engine=other, keep_for=HOUR)
    stage.clock.advance(1000 * DAY)
    swept = await sweep(stage.world)
    assert (swept.removed, swept.left) == ([], 0)
    assert list(stage.namespaces) == ["conductor-shop-bbbbbb"]


async def test_the_sweeper_leaves_the_files_that_a_later_attempt_mounts(tmp_path: Path):
    async with Stage(tmp_path, fail="tests:Evicted").launched() as stage:
        run, _ = await stage.run()
        await left_behind(stage, run.namespace, run.id)
        stage.clock.advance(2 * HOUR)
        assert (await sweep(stage.world)).removed == [run.namespace]
    assert (tmp_path / "runs" / run.id / "2" / "checkout").exists()


async def test_what_could_not_be_removed_at_the_end_of_its_run_is_removed_once_the_engine_is_back(
    tmp_path: Path,
):
    plan = "version: 1\ncleanup: always\ntests: {command: [yarn, test]}\n"
    async with Stage(tmp_path, plan=plan, fail="tests:fails", engine=EngineThatLeaves).launched() as stage:
        run, outcome = await stage.run()
        assert outcome.verdict is Verdict.FAILED
        assert list(stage.namespaces) == [run.namespace]
        stage.clock.advance(HOUR)
        assert (await sweep(stage.world)).removed == [run.namespace]


async def test_a_sweeper_ends_with_the_last_lease(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        await stage.run(keep_for=HOUR)
        began = stage.clock.now()
        await asyncio.wait_for(sweep_until_empty(stage.world), BOUND_SECONDS)
    assert stage.namespaces == {}
    assert HOUR - timedelta(minutes=1) < stage.clock.now() - began < HOUR + timedelta(minutes=2)


async def test_a_sweeper_outlives_an_engine_that_is_away(tmp_path: Path):
    async with Stage(tmp_path).launched() as stage:
        await stage.run(keep_for=HOUR)
        stage.engine.leave(2 * HOUR)
        await asyncio.wait_for(sweep_until_empty(stage.world), BOUND_SECONDS)
    assert stage.namespaces == {}


async def left_behind(
    stage: Stage,
    namespace: str,
    run: str,
    *,
    keep_for: timedelta | None = None,
    engine: FakeEngine | None = None,
) -> None:
    """Make a namespace that no run of this process is at work in: with a lease, or without a readable mark."""
    now = stage.clock.now()
    lease = Lease(
        namespace=namespace, run=run, repository="shop", created_at=now, expires_at=now + (keep_for or DAY)
    )
    await (engine or stage.engine).create_namespace(Place(namespace=namespace, run=run), lease)
    if keep_for is None:
        stage.lose_mark(namespace)


async def test_where_the_budget_is_full_the_oldest_kept_stack_goes_and_the_report_says_so(tmp_path: Path):
    async with Stage(tmp_path, **TWO_STACKS).launched() as stage:
        oldest, _ = await stage.run(keep_for=2 * DAY)
        second, _ = await stage.run(keep_for=HOUR)
        third, _ = await stage.run()
    assert set(stage.namespaces) == {second.namespace, third.namespace}
    assert any(oldest.id in note and "budget" in note for note in stage.report(third).notes)


async def test_a_pinned_stack_never_goes_and_the_next_oldest_does(tmp_path: Path):
    async with Stage(tmp_path, **TWO_STACKS).launched() as stage:
        pinned, _ = await stage.run()
        await stacks.pin(stage.world, pinned.id)
        await stage.run()
        third, _ = await stage.run()
    assert set(stage.namespaces) == {pinned.namespace, third.namespace}


async def test_where_nothing_can_go_the_run_is_broken_by_the_platform_and_says_what_to_do(tmp_path: Path):
    async with Stage(tmp_path, **TWO_STACKS).launched() as stage:
        for _ in range(2):
            run, _ = await stage.run()
            await stacks.pin(stage.world, run.id)
        _, outcome = await stage.run()
    assert (outcome.verdict, outcome.reason, outcome.fault) == (Verdict.BROKEN, Reason.QUOTA, Fault.PLATFORM)
    assert "CONDUCTOR_MAX_STACKS" in outcome.remedy


@pytest.mark.parametrize("away", [False, True])
async def test_old_images_of_a_repository_go_with_a_stack_of_it_and_a_registry_that_is_away_is_reported(
    tmp_path: Path, *, away: bool
):
    registry = ScanningRegistry(
        {"backend": CLEAN, "tests/tests": CLEAN}, old=["registry.test/shop/backend:old"], away=away
    )
    budget = Budget(images=3)
    stage = Stage(tmp_path, registry=registry, budget=budget, builder=PublishingBuilder)
    async with stage.launched():
        run, _ = await stage.run(keep_for=HOUR)
        kept, _ = await stage.run(keep_for=3 * HOUR)
        assert (await sweep(stage.world)).images == []
        stage.clock.advance(2 * HOUR)
        swept = await sweep(stage.world)
    assert swept.removed == [run.namespace]
    assert registry.pruned == [(run.repository, 3)]
    assert registry.used == {image.digest for image in stage.report(kept).images}
    assert swept.images == ([] if away else ["registry.test/shop/backend:old"])
    assert list(swept.failed) == ([f"images of {run.repository}"] if away else [])
