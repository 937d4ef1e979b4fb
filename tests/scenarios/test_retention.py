"""Retention in a world of runs: what goes, what stays, and what is said of what went."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from conductor.domain.retention import Retention
from conductor.domain.run import Cleanup, Run
from conductor.errors import NotFoundError, UnreachableError
from conductor.operations import runs
from conductor.operations.retention import prune_evidence
from tests.scenarios.stage import Stage
from tests.scenarios.troubled import HoldingStore

DAY = timedelta(days=1)
A_WEEK = {"retention": Retention(keep_for=7 * DAY)}


async def logged(stage: Stage, run: Run) -> list[str]:
    return [line.text async for line in runs.logs(stage.world, run.id)]


async def test_what_is_too_old_goes_and_verdict_tests_and_report_stay(tmp_path: Path):
    async with Stage(tmp_path, **A_WEEK).launched() as stage:
        run, outcome = await stage.run(cleanup=Cleanup.ALWAYS)
        stage.clock.advance(8 * DAY)
        pruned = await prune_evidence(stage.world)
        view = await runs.show(stage.world, run.id)
        with pytest.raises(NotFoundError, match=r"removed by retention on \d{4}-\d\d-\d\d") as refusal:
            await logged(stage, run)
        files = await stage.world.evidence.files(run.id, 1)
    assert pruned.removed == [f"{run.id}/1"]
    assert pruned.freed_bytes > 0
    assert "CONDUCTOR_KEEP_EVIDENCE_FOR" in refusal.value.remedy
    assert view.row.outcome == outcome
    assert view.results[0].counts.passed == 1
    assert view.report is not None
    assert "report.md" in files
    assert not [name for name in files if name.startswith("artifacts/")]


async def test_what_is_young_enough_stays_and_its_logs_read_as_before_compressed(tmp_path: Path):
    async with Stage(tmp_path, **A_WEEK).launched() as stage:
        run, _ = await stage.run(cleanup=Cleanup.ALWAYS)
        before = await logged(stage, run)
        stage.clock.advance(6 * DAY)
        pruned = await prune_evidence(stage.world)
        assert (pruned.removed, await logged(stage, run)) == ([], before)
    assert before
    assert pruned.packed == len(await stage.world.evidence.workloads(run.id, 1))


async def test_the_oldest_go_where_there_is_too_much(tmp_path: Path):
    async with Stage(tmp_path, retention=Retention(most_bytes=0)).launched() as stage:
        first, _ = await stage.run(cleanup=Cleanup.ALWAYS)
        second, _ = await stage.run(cleanup=Cleanup.KEEP)
        pruned = await prune_evidence(stage.world)
        assert await logged(stage, second)
    assert pruned.removed == [f"{first.id}/1"]


async def test_a_run_whose_stack_is_kept_is_never_touched(tmp_path: Path):
    async with Stage(tmp_path, **A_WEEK).launched() as stage:
        run, _ = await stage.run(keep_for=30 * DAY)
        stage.clock.advance(20 * DAY)
        pruned = await prune_evidence(stage.world)
        assert await logged(stage, run)
    assert (pruned.removed, pruned.packed) == ([], 0)


async def test_a_run_at_work_is_never_touched(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore, retention=Retention(most_bytes=0))
    async with stage.launched():
        stage.store.hold_at = "write-report"
        run = await stage.request(cleanup=Cleanup.ALWAYS)
        await stage.start(run)
        await stage.store.reached.wait()
        await stage.world.engine.delete_namespace(run.namespace)
        await stage.store.delete_lease(run.namespace)
        pruned = await prune_evidence(stage.world)
        assert await stage.world.evidence.workloads(run.id, 1)
    assert (pruned.removed, pruned.packed) == ([], 0)


async def test_what_no_record_knows_is_left_alone(tmp_path: Path):
    async with Stage(tmp_path, retention=Retention(most_bytes=0)).launched() as stage:
        await stage.world.evidence.save("shop-nobody", 1, "artifacts/a.txt", b"a")
        pruned = await prune_evidence(stage.world)
        assert await stage.world.evidence.files("shop-nobody", 1) == ["artifacts/a.txt"]
    assert pruned.removed == []


async def test_nothing_goes_while_nobody_can_say_which_stacks_stand(tmp_path: Path):
    async with Stage(tmp_path, **A_WEEK).launched() as stage:
        run, _ = await stage.run(cleanup=Cleanup.ALWAYS)
        stage.clock.advance(8 * DAY)
        stage.engine.leave(DAY)
        with pytest.raises(UnreachableError):
            await prune_evidence(stage.world)
        assert await logged(stage, run)


async def test_pruning_again_changes_nothing_more(tmp_path: Path):
    async with Stage(tmp_path, **A_WEEK).launched() as stage:
        run, _ = await stage.run(cleanup=Cleanup.ALWAYS)
        stage.clock.advance(8 * DAY)
        await prune_evidence(stage.world)
        at = await stage.world.evidence.shed_at(run.id, 1)
        stage.clock.advance(DAY)
        again = await prune_evidence(stage.world)
        assert await stage.world.evidence.shed_at(run.id, 1) == at
    assert (again.removed, again.freed_bytes) == ([], 0)
