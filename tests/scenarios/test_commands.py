"""What people ask for on the forge: commands in comments, and the buttons of checks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from conductor.adapters.fake.hosting import Misfortune
from conductor.domain.delivery import Delivery, DeliveryStatus
from conductor.domain.run import Stage
from conductor.domain.trigger import Cause
from conductor.domain.verdict import Verdict
from conductor.operations.intake import take_in
from tests.scenarios.service_stage import SHOP, Server

HALF_RED = """
version: 1
tests:
  command:
    - sh
    - -c
    - "echo '<testsuite><testcase name=\\"a\\"/><testcase name=\\"b\\"><failure/></testcase></testsuite>' > reports/a.xml; exit 1"
  rerun: [yarn, test, "{names}"]
"""
PULL = 7


async def ended(server: Server) -> None:
    """Have a run of the pull request behind us."""
    server.shop.pull_requests[PULL] = "main"
    await server.handle(server.push()[1])
    await server.until_quiet()
    server.clock.advance(timedelta(minutes=1))


async def said(server: Server, text: str, **comment: object) -> tuple[Delivery, tuple[bool, str] | None]:
    """Write a comment, have it carried out, and return how it was settled and answered."""
    delivery = server.forge.comment(SHOP, PULL, text, **comment)
    (handled,) = await server.handle(delivery)
    number = int(delivery.id.rpartition("-")[2])
    (answer,) = server.forge.answers.get(number, [None])
    return handled, answer


async def test_run_starts_a_run_of_the_head_of_the_pull_request(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        server.shop.pull_requests[PULL] = "main"
        commit = server.shop.commit()
        handled, answer = await said(server, "/conductor run")
        row = await server.the_run()
    assert (handled.status, handled.run) == (DeliveryStatus.STARTED, row.run.id)
    assert answer == (True, f"run {row.run.id}, attempt 1")
    assert row.run.source.commit == commit
    assert row.run.trigger is not None
    assert (row.run.trigger.cause, row.run.trigger.pull_request) == (Cause.COMMAND, PULL)


async def test_people_without_write_permission_are_told_so_and_nothing_starts(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        server.shop.pull_requests[PULL] = "main"
        server.shop.commit()
        handled, answer = await said(server, "/conductor run", sender="mallory")
        assert await server.runs() == []
    assert handled.status is DeliveryStatus.IGNORED
    assert answer is not None
    assert answer[0] is False


async def test_rerun_makes_a_new_attempt_of_the_latest_run_of_the_pull_request(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        await ended(server)
        handled, answer = await said(server, "/conductor rerun")
        await server.until_quiet()
        row = await server.the_run()
    assert (handled.status, handled.attempt, row.run.attempt) == (DeliveryStatus.STARTED, 2, 2)
    assert answer == (True, f"run {row.run.id}, attempt 2")
    assert row.run.trigger is not None
    assert row.run.trigger.pull_request == PULL


async def test_rerun_failed_runs_the_failed_tests_in_the_kept_stack(tmp_path: Path):
    async with Server(tmp_path, plan=HALF_RED).launched() as server:
        await ended(server)
        await said(server, "/conductor rerun failed")
        await server.until_quiet()
        row = await server.the_run()
    assert row.run.rerun is not None
    assert (row.run.attempt, row.run.rerun.stage, row.run.rerun.failed_only) == (2, Stage.TESTS, True)
    assert row.run.rerun.stack == 1


async def test_rerun_failed_without_a_stack_is_answered_with_what_to_do(tmp_path: Path):
    async with Server(tmp_path, plan=HALF_RED).launched() as server:
        await ended(server)
        await said(server, "/conductor delete")
        handled, answer = await said(server, "/conductor rerun failed")
        row = await server.the_run()
    assert (handled.status, row.run.attempt) == (DeliveryStatus.IGNORED, 1)
    assert answer is not None
    assert answer[0] is False
    assert "is gone" in answer[1]


async def test_rerun_where_nothing_has_run_yet_says_so(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        server.shop.pull_requests[PULL] = "main"
        server.shop.commit()
        handled, answer = await said(server, "/conductor rerun")
    assert handled.status is DeliveryStatus.IGNORED
    assert answer is not None
    assert "nothing has run for #7 yet" in answer[1]


async def test_cancel_stops_a_run_that_waits_before_it_has_a_namespace(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        server.shop.pull_requests[PULL] = "main"
        await server.handle(server.push()[1])
        handled, _ = await said(server, "/conductor cancel")
        await server.until_quiet()
        row = await server.the_run()
        steps = [step.name for step in await server.service.world.store.steps(row.run.id, 1)]
    assert handled.status is DeliveryStatus.DONE
    assert row.outcome is not None
    assert row.outcome.verdict is Verdict.CANCELLED
    assert "kim" in row.outcome.message
    assert "create-namespace" not in steps
    assert server.stage.namespaces == {}


async def test_keep_lets_the_stack_stay_that_long_after_the_comment_however_often_it_is_begun(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        await ended(server)
        delivery = server.forge.comment(SHOP, PULL, "/conductor keep 48h")
        server.forge.befall("answer", Misfortune.AWAY)
        (cut_off,) = await server.handle(delivery)
        server.clock.advance(timedelta(minutes=1))
        await take_in(server.service)
        handled = await server.find(delivery)
        (namespace,) = server.stage.namespaces.values()
    assert (cut_off.status, handled.status) == (DeliveryStatus.WAITING, DeliveryStatus.DONE)
    assert namespace.lease is not None
    assert namespace.lease.expires_at == delivery.received_at + timedelta(hours=48)


async def test_delete_removes_the_stack(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        await ended(server)
        handled, answer = await said(server, "/conductor delete")
    assert handled.status is DeliveryStatus.DONE
    assert answer is not None
    assert answer[0]
    assert server.stage.namespaces == {}


async def test_the_button_of_a_check_makes_a_new_attempt_of_its_run(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        await ended(server)
        run = (await server.the_run()).run
        (handled,) = await server.handle(server.forge.press(run))
        again = (await server.the_run()).run
    assert (handled.status, handled.attempt, again.attempt) == (DeliveryStatus.STARTED, 2, 2)
    assert again.trigger is not None
    assert (again.trigger.cause, again.trigger.pull_request) == (Cause.BUTTON, PULL)


async def test_to_run_all_checks_of_a_commit_again_names_no_run_and_means_the_latest_of_it(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        await ended(server)
        run = (await server.the_run()).run
        pressed = {"repository": SHOP, "run": "", "commit": run.source.commit}
        delivery = server.forge.send("check_run", **pressed, sender="kim", failed_only=False)
        (handled,) = await server.handle(delivery)
    assert (handled.status, handled.run, handled.attempt) == (DeliveryStatus.STARTED, run.id, 2)


async def test_a_button_pressed_twice_before_it_was_handled_is_one_attempt(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        await ended(server)
        run = (await server.the_run()).run
        await server.handle(server.forge.press(run), server.forge.press(run))
        assert (await server.the_run()).run.attempt == 2


@pytest.mark.parametrize("stranger", ["run", "repository", "commit"])
async def test_a_button_of_a_check_that_is_not_ours_is_ignored(tmp_path: Path, stranger: str):
    async with Server(tmp_path).launched() as server:
        await ended(server)
        run = (await server.the_run()).run
        pressed = {"repository": SHOP, "run": run.id, "commit": run.source.commit} | {stranger: "acme/x"}
        delivery = server.forge.send("check_run", **pressed, sender="kim", failed_only=False)
        (handled,) = await server.handle(delivery)
        assert (await server.the_run()).run.attempt == 1
    assert handled.status is DeliveryStatus.IGNORED
