"""What a delivery comes to: a run, an attempt, a command, or nothing with its reason; once, however often it comes or is begun."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from conductor.adapters.fake.hosting import Misfortune
from conductor.domain.delivery import DeliveryStatus
from conductor.domain.run import Stage, Status
from conductor.domain.trigger import Cause
from conductor.domain.verdict import Verdict
from conductor.operations.intake import receive, take_in
from conductor.ports.service import Policy
from tests.scenarios.service_stage import SHOP, TAG, Server, statuses

FAILING = """
version: 1
tests: {command: [sh, -c, "echo '<testsuite><testcase name=\\"a\\"/></testsuite>' > reports/a.xml; exit 1"]}
"""


async def test_a_pushed_tag_becomes_a_run_whose_verdict_is_told_on_the_forge(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        commit, delivery = server.push()
        (handled,) = await server.handle(delivery)
        await server.until_quiet()
        row = await server.the_run()
    assert (handled.status, handled.run, handled.attempt) == (DeliveryStatus.STARTED, row.run.id, 1)
    assert (row.run.source.commit, row.run.source.branch, row.run.principal) == (commit, "main", "kim")
    assert row.run.trigger is not None
    assert (row.run.trigger.cause, row.run.trigger.tag) == (Cause.TAG, TAG)
    assert row.outcome is not None
    assert row.outcome.verdict is Verdict.PASSED
    assert server.forge.told[row.run.id, 1][-1].startswith("ended passed")


async def test_the_same_delivery_again_starts_nothing(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        _, delivery = server.push()
        await server.handle(delivery)
        await server.until_quiet()
        assert await receive(server.service, delivery) is False
        await server.until_quiet()
        assert (await server.the_run()).run.attempt == 1


async def test_another_delivery_for_a_commit_that_is_at_work_joins_its_run(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        commit, first = server.push()
        second = server.forge.push_tag(SHOP, f"{TAG}-again", commit)
        handled = await server.handle(first, second)
        row = await server.the_run()
    assert statuses(handled) == [DeliveryStatus.STARTED] * 2
    assert {delivery.run for delivery in handled} == {row.run.id}
    assert "joined" in handled[1].note


async def test_a_new_delivery_for_a_commit_whose_run_has_ended_makes_another_attempt_of_it(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        commit, first = server.push()
        await server.handle(first)
        await server.until_quiet()
        server.clock.advance(timedelta(minutes=1))
        await server.handle(server.forge.push_tag(SHOP, TAG, commit))
        await server.until_quiet()
        row = await server.the_run()
    assert (row.run.attempt, row.status) == (2, Status.ENDED)
    assert row.run.rerun is not None
    assert row.run.rerun.stage is Stage.BUILD
    assert server.forge.told[row.run.id, 2][-1].startswith("ended passed")


async def test_a_repository_that_is_not_on_the_list_starts_nothing(tmp_path: Path):
    policy = Policy(repositories=("other/*",))
    async with Server(tmp_path, policy=policy).launched() as server:
        (handled,) = await server.handle(server.push()[1])
        assert await server.runs() == []
    assert handled.status is DeliveryStatus.IGNORED
    assert "not on the list" in handled.note


@pytest.mark.parametrize("event", ["ping", "star"])
async def test_events_that_ask_for_nothing_are_ignored_with_the_reason(tmp_path: Path, event: str):
    async with Server(tmp_path).launched() as server:
        (handled,) = await server.handle(server.forge.send(event))
    assert (handled.status, handled.note) == (DeliveryStatus.IGNORED, f"nothing is done for {event}")


async def test_deleting_a_tag_starts_nothing(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        server.push()
        (handled,) = await server.handle(server.forge.delete_tag(SHOP, TAG))
        assert await server.runs() == []
    assert (handled.status, handled.note) == (DeliveryStatus.IGNORED, "a tag was deleted")


async def test_a_delivery_of_a_forge_that_the_server_does_not_know_is_ignored(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        server.service = server.service.__class__(
            **{**{name: getattr(server.service, name) for name in server.service.__slots__}, "hostings": {}}
        )
        (handled,) = await server.handle(server.push()[1])
    assert handled.status is DeliveryStatus.IGNORED


@pytest.mark.parametrize(
    ("default", "tag", "status"),
    [
        ("version: 1\n", TAG, DeliveryStatus.STARTED),
        ("version: 1\n", f"{TAG}-kim/1", DeliveryStatus.STARTED),
        ("version: 1\n", "v1.0", DeliveryStatus.IGNORED),
        ("version: 1\ntriggers: {tags: [test-*]}\n", TAG, DeliveryStatus.IGNORED),
        ("version: 1\ntriggers: {tags: [test-*]}\n", "test-1", DeliveryStatus.STARTED),
        ("version: [no\n", TAG, DeliveryStatus.STARTED),
    ],
)
async def test_which_tags_start_a_run_is_said_by_the_default_branch(
    tmp_path: Path, default: str, tag: str, status: DeliveryStatus
):
    commits = "version: 1\ntriggers: {tags: ['*']}\ntests: {command: [yarn, test]}\n"
    async with Server(tmp_path, plan=commits, default=default).launched() as server:
        (handled,) = await server.handle(server.push(tag)[1])
    assert handled.status is status


async def test_a_forge_that_is_away_is_asked_again_later_and_longer_each_time(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        server.forge.befall("place", Misfortune.AWAY, times=3)
        _, delivery = server.push()
        waits = []
        (handled,) = await server.handle(delivery)
        while handled.status is DeliveryStatus.WAITING:
            assert handled.due_at is not None
            waits.append((handled.due_at - server.clock.now()).total_seconds())
            server.clock.advance(handled.due_at - server.clock.now())
            await take_in(server.service)
            handled = await server.find(delivery)
        row = await server.the_run()
    assert waits == [5, 10, 20]
    assert (handled.status, handled.run) == (DeliveryStatus.STARTED, row.run.id)


async def test_one_delivery_that_cannot_be_handled_is_in_no_others_way(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        server.forge.befall("place", Misfortune.MISTAKEN)
        handled = await server.handle(server.push(f"{TAG}-1")[1], server.push(f"{TAG}-2")[1])
    assert sorted(statuses(handled)) == [DeliveryStatus.STARTED, DeliveryStatus.WAITING]


async def test_after_a_day_a_delivery_is_given_up_and_the_reconciler_finds_its_tag(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        commit, delivery = server.push()
        server.clock.advance(timedelta(hours=25))
        server.forge.befall("place", Misfortune.AWAY)
        (handled,) = await server.handle(delivery)
        await server.reconciler.turn()
        row = await server.of_commit(commit)
    assert handled.status is DeliveryStatus.FAILED
    assert row.run.trigger is not None
    assert row.run.trigger.cause is Cause.RECONCILED


async def test_a_delivery_that_was_given_up_and_comes_again_is_handled(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        server.forge.befall("place", Misfortune.FORBIDS)
        _, delivery = server.push()
        (given_up,) = await server.handle(delivery)
        (handled,) = await server.handle(delivery)
        row = await server.the_run()
    assert given_up.status is DeliveryStatus.FAILED
    assert (handled.status, handled.run) == (DeliveryStatus.STARTED, row.run.id)


async def test_a_delivery_whose_handling_was_cut_off_after_its_run_was_accepted_starts_nothing_twice(
    tmp_path: Path,
):
    async with Server(tmp_path).launched() as server:
        server.push(branch="main")
        commit, older = server.push()
        await server.handle(older)
        _, newer = server.push()
        server.forge.befall("order", Misfortune.AWAY)
        (cut_off,) = await server.handle(newer)
        known = len(await server.runs())
        server.clock.advance(timedelta(minutes=1))
        await take_in(server.service)
        (handled,) = [await server.find(newer)]
        await server.until_quiet()
        runs = await server.runs()
        superseded = await server.of_commit(commit)
    assert cut_off.status is DeliveryStatus.WAITING
    assert handled.status is DeliveryStatus.STARTED
    assert (known, len(runs), {row.run.attempt for row in runs}) == (2, 2, {1})
    assert superseded.outcome is not None
    assert superseded.outcome.verdict is Verdict.SUPERSEDED


async def test_a_new_server_leaves_old_tags_alone_and_finds_the_later_ones(tmp_path: Path):
    async with Server(tmp_path, policy=Policy(repositories=("acme/*",), old_tags=False)).launched() as server:
        _, old = server.push(f"{TAG}-old")
        await server.reconciler.turn()
        none_yet = await server.service.world.store.list_runs()
        later, _ = server.push(f"{TAG}-later", branch="later")
        await server.reconciler.turn()
        rows = await server.service.world.store.list_runs()
        (pushed,) = await server.handle(old)
    assert none_yet == []
    assert [row.run.source.commit for row in rows] == [later]
    assert pushed.status is DeliveryStatus.STARTED


async def test_a_lost_delivery_that_is_brought_in_after_its_tag_was_reconciled_asks_for_nothing_new(
    tmp_path: Path,
):
    async with Server(tmp_path).launched() as server:
        _, delivery = server.push()
        server.clock.advance(timedelta(minutes=5))
        await server.reconciler.turn()
        await server.until_quiet()
        server.forge.lose(delivery)
        await server.reconciler.turn()
        await server.until_quiet()
        handled = await server.find(delivery)
        row = await server.the_run()
    assert (handled.status, handled.run, row.run.attempt) == (DeliveryStatus.STARTED, row.run.id, 1)


async def test_a_platforms_second_attempt_is_told_and_the_first_is_not_the_end(tmp_path: Path):
    async with Server(tmp_path, fail="deploy/redis:Evicted").launched() as server:
        await server.handle(server.push()[1])
        await server.until_quiet()
        row = await server.the_run()
        announcement = await server.service.outbox.find(row.run.id, 1)
    assert row.run.attempt == 2
    assert announcement is not None
    assert announcement.final
    assert row.outcome is not None
    assert server.forge.told[row.run.id, 1][-1].startswith(f"ended {row.outcome.verdict}")


async def test_a_verdict_that_cannot_be_told_is_kept_and_told_later(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        server.forge.befall("announce", Misfortune.AWAY, times=20)
        server.forge.befall("announce", Misfortune.FORBIDS)
        server.forge.befall("announce", Misfortune.MISTAKEN)
        await server.handle(server.push()[1])
        await server.until_quiet()
        row = await server.the_run()
        for _ in range(40):
            server.clock.advance(timedelta(minutes=16))
            await server.tell()
        announcement = await server.service.outbox.find(row.run.id, 1)
    assert announcement is not None
    assert (announcement.final, announcement.error) == (True, "")
    assert server.forge.asked["announce"] == 23
    assert len(server.forge.told[row.run.id, 1]) == 1
