"""A newer commit of a branch takes the place of an older one, in whatever order they arrive; never are two of one branch active."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from conductor.domain.event import Kind
from conductor.domain.queue import Limits
from conductor.domain.run import Status
from conductor.domain.verdict import Verdict
from conductor.operations.intake import take_in
from tests.scenarios.service_stage import SHOP, TAG, Server, has_ended


def verdict(row: object) -> Verdict | None:
    outcome = getattr(row, "outcome", None)
    return outcome.verdict if outcome else None


async def test_a_newer_commit_supersedes_a_run_that_waits(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        (older, first), (newer, second) = server.push(), server.push()
        await server.handle(first, second)
        await server.until_quiet()
        rows = [await server.of_commit(commit) for commit in (older, newer)]
    assert [verdict(row) for row in rows] == [Verdict.SUPERSEDED, Verdict.PASSED]
    assert rows[0].outcome is not None
    assert rows[1].run.id in rows[0].outcome.message
    assert list(server.stage.namespaces) == [rows[1].run.namespace]


async def test_a_newer_commit_supersedes_a_run_that_is_active(tmp_path: Path):
    plan = "version: 1\ntests: {command: [yarn, test], timeout: 24h}\n"
    async with Server(tmp_path, plan=plan, fail="tests:hangs").launched() as server:
        older, first = server.push()
        await server.handle(first)
        await server.until((await server.of_commit(older)).run, Kind.SUITE_STARTED)
        newer, second = server.push()
        await server.handle(second)
        await server.until((await server.of_commit(newer)).run, Kind.SUITE_STARTED)
        rows = [await server.of_commit(commit) for commit in (older, newer)]
    assert [row.status for row in rows] == [Status.ENDED, Status.RUNNING]
    assert verdict(rows[0]) is Verdict.SUPERSEDED
    assert server.most_active == {"main": 1}


async def test_an_older_commit_that_arrives_late_is_superseded_at_once(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        (older, first), (newer, second) = server.push(), server.push()
        await server.handle(second, first)
        await server.until_quiet()
        rows = [await server.of_commit(commit) for commit in (older, newer)]
    assert [verdict(row) for row in rows] == [Verdict.SUPERSEDED, Verdict.PASSED]


async def test_where_the_forge_cannot_tell_the_one_that_came_later_is_newer(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        server.forge.forgets_ancestry = True
        (older, first), (newer, second) = server.push("run-integration-tests-1"), server.push(f"{TAG}-2")
        server.shop.commit()
        await server.handle(second, first)
        await server.until_quiet()
        rows = [await server.of_commit(commit) for commit in (older, newer)]
    assert [verdict(row) for row in rows] == [Verdict.PASSED, Verdict.SUPERSEDED]


async def test_runs_of_different_branches_leave_each_other_alone(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        pushes = [server.push(f"{TAG}-{one}", branch=f"branch-{one}") for one in range(3)]
        await server.handle(*(delivery for _, delivery in pushes))
        await server.until_quiet()
        rows = await server.runs()
    assert [verdict(row) for row in rows] == [Verdict.PASSED] * 3


@pytest.mark.parametrize("seed", range(3))
async def test_fifty_pushes_to_five_branches_in_any_order_end_with_the_head_of_each(
    tmp_path: Path, seed: int
):
    chance = random.Random(seed)  # noqa: S311 -- a play
    server = Server(tmp_path, limits=Limits(runs=2))
    async with server.launched():
        server.shop.commit()
        pushes = [server.push(f"{TAG}-{one}", branch=f"branch-{one % 5}") for one in _shuffled(50, chance)]
        deliveries = [delivery for _, delivery in pushes]
        chance.shuffle(deliveries)
        while deliveries:
            some = [deliveries.pop() for _ in range(min(len(deliveries), chance.randint(1, 12)))]
            await server.deliver(*some)
            await take_in(server.service)
            for _ in range(chance.randint(0, 6)):
                await server.dispatch()
        await server.until_quiet()
        rows = await server.runs()
    heads = {branch: head for branch, head in server.shop.branches.items() if branch != "main"}
    by_commit = {row.run.source.commit: row for row in rows}
    assert len(rows) == 50
    assert all(has_ended(row) for row in rows)
    assert {branch: verdict(by_commit[head]) for branch, head in heads.items()} == dict.fromkeys(
        heads, Verdict.PASSED
    )
    assert {verdict(row) for row in rows} <= {Verdict.PASSED, Verdict.SUPERSEDED}
    assert set(server.most_active.values()) == {1}
    assert SHOP in {row.run.repository for row in rows}


def _shuffled(number: int, chance: random.Random) -> list[int]:
    order = list(range(number))
    chance.shuffle(order)
    return order
