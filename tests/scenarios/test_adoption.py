"""What a dead process left is gone on with by another, also on a machine that never saw the run's folder."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from conductor import durable
from conductor.adapters.evidence.folder import FolderEvidence
from conductor.domain.event import Kind
from conductor.domain.run import Cleanup, Run, Status
from conductor.domain.verdict import Outcome, Verdict
from conductor.durable.locks import Locks
from conductor.operations import stacks
from conductor.operations.replicas import adopt_orphans
from conductor.workflows.integration_test import integration_test
from tests.scenarios.stage import BOUND_SECONDS, PLAN, Stage
from tests.scenarios.test_requests import interrupted
from tests.scenarios.troubled import HoldingStore

WITH_SECRET = f"{PLAN}secrets: [API_KEY]\n"


async def end_of(run: Run) -> Outcome:
    """Wait for what was adopted."""
    waiting = durable.outcome_of(run.workflow_id, integration_test)
    return await asyncio.wait_for(waiting, BOUND_SECONDS)


def on_another_machine(stage: Stage, folder: Path) -> None:
    """Let the stage go on where nothing of its runs' folders is."""
    stage.world = replace(stage.world, evidence=FolderEvidence(folder))


async def test_what_a_dead_process_left_is_adopted_told_and_ends(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore)
    run = await interrupted(stage)
    async with stage.launched():
        adopted = await adopt_orphans(stage.world)
        row = await stage.store.find_run(run.id)
        outcome = await end_of(run)
        assert (await adopt_orphans(stage.world)).taken == []
        assert row is not None
        assert row.executor == durable.executor()
    assert (adopted.taken, adopted.left) == ([run.workflow_id], {})
    assert outcome.verdict is Verdict.PASSED
    assert stage.told(run).count((Kind.RUN_RESUMED, "")) == 1


async def test_what_this_process_is_at_is_not_adopted(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore)
    stage.store.hold_at = "await-tests/tests"
    async with stage.launched():
        run = await stage.request()
        await stage.start(run)
        await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
        assert (await adopt_orphans(stage.world)).taken == []
    assert (Kind.RUN_RESUMED, "") not in stage.told(run)


async def test_what_another_process_holds_is_left_alone(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore)
    run = await interrupted(stage)
    row = await stage.store.find_run(run.id)
    assert row is not None
    async with stage.launched(), Locks(tmp_path).takeover(row.executor):
        adopted = await adopt_orphans(stage.world)
    assert (adopted.taken, adopted.left) == ([], {})


async def test_a_run_whose_secrets_are_not_at_hand_is_left_to_be_resumed(tmp_path: Path):
    stage = Stage(tmp_path, plan=WITH_SECRET, store=HoldingStore, secrets={"API_KEY_QA": "hunter2hunter2"})
    run = await interrupted(stage)
    without = Stage(tmp_path, plan=WITH_SECRET)
    stage.world = replace(stage.world, secrets=without.world.secrets)
    async with stage.launched():
        adopted = await adopt_orphans(stage.world)
    row = await stage.store.find_run(run.id)
    assert adopted.taken == []
    assert "API_KEY" in adopted.left[run.workflow_id]
    assert row is not None
    assert row.status is Status.RUNNING


async def test_a_machine_that_never_saw_the_run_keeps_its_stack_and_says_what_is_not_here(tmp_path: Path):
    stage = Stage(tmp_path / "one", store=HoldingStore)
    run = await interrupted(stage, cleanup=Cleanup.KEEP)
    on_another_machine(stage, tmp_path / "two")
    async with stage.launched():
        await adopt_orphans(stage.world)
        outcome = await end_of(run)
        report = await stage.store.find_report(run.id)
        await stacks.sleep(stage.world, run.namespace)
        woken = await stacks.wake(stage.world, run.namespace)
    logs = [line.text async for line in stage.world.evidence.read_log(run.id, 1, workload="redis")]
    assert outcome.verdict is Verdict.PASSED
    assert report is not None
    assert report.lease is not None
    assert woken.namespace == run.namespace
    assert logs == ["redis is listening"]
    assert any("backend" in text and "machine that died" in text for text in report.partial)


async def test_the_tree_comes_back_where_a_step_needs_it(tmp_path: Path):
    stage = Stage(tmp_path / "one", store=HoldingStore)
    run = await interrupted(stage, "raise-stack")
    on_another_machine(stage, tmp_path / "two")
    async with stage.launched():
        await adopt_orphans(stage.world)
        outcome = await end_of(run)
        checkout = tmp_path / "two" / "runs" / run.id / "1" / "checkout"
        assert (checkout / "docker-compose.qa.yml").exists()
    assert outcome.verdict is Verdict.PASSED
