"""The loops of a server together: they wake each other, bear errors, share duties, and stop without losing anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from conductor.adapters.fake.hosting import Misfortune
from conductor.domain.run import Status
from conductor.domain.verdict import Verdict
from conductor.errors import UnreachableError
from conductor.operations.intake import receive
from conductor.operations.serving import (
    ANNOUNCE,
    INTAKE,
    RECONCILE,
    SWEEP,
    Loop,
    Pace,
    ServerState,
    serve_loops,
)
from tests.scenarios.service_stage import BOUND_SECONDS, Server

QUICK = Pace(
    intake=timedelta(milliseconds=20),
    dispatch=timedelta(milliseconds=20),
    announce=timedelta(milliseconds=20),
    duty_lasts=timedelta(seconds=3),
)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND_SECONDS):
        while not is_so():  # noqa: ASYNC110 -- loops are at work meanwhile
            await asyncio.sleep(0.01)


def times_told(server: Server, word: str) -> int:
    return sum(word in line for lines in server.forge.told.values() for line in lines)


async def told_passed(server: Server) -> None:
    """Wait until a verdict was told; what is told next is due some time later."""
    async with asyncio.timeout(BOUND_SECONDS):
        while not times_told(server, "passed"):
            await asyncio.sleep(0.01)
            server.clock.advance(timedelta(seconds=1))


async def test_a_delivery_is_run_and_told_while_the_loops_turn_by_themselves(tmp_path: Path):
    async with Server(tmp_path).launched() as server, serve_loops(server.service, pace=QUICK) as state:
        await receive(server.service, server.push()[1])
        state.ring(INTAKE)
        await told_passed(server)
        row = await server.the_run()
    assert row.outcome is not None
    assert row.outcome.verdict is Verdict.PASSED
    assert (state.counts["deliveries.started"], state.counts["runs.begun"]) == (1, 1)
    assert state.failing == {}


async def test_a_tag_whose_delivery_was_lost_is_found_when_the_server_starts(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        server.push()
        async with serve_loops(server.service, pace=QUICK) as state:
            await told_passed(server)
    assert state.counts["reconciled.tags"] == 1


async def test_a_loop_bears_every_error_and_says_which(tmp_path: Path):
    errors = [UnreachableError("the moon does not answer"), ZeroDivisionError("ours")]
    seen: list[dict[str, str]] = []

    async with Server(tmp_path).launched() as server:
        state = ServerState(started_at=server.clock.now())

        async def turn() -> timedelta:
            seen.append(dict(state.failing))
            if errors:
                raise errors.pop(0)
            return timedelta(hours=1)

        async with serve_loops(server.service, state=state, pace=QUICK, others=[Loop(name="odd", turn=turn)]):
            await until(lambda: "odd" in state.turned_at)
    assert seen == [
        {},
        {"odd": "the moon does not answer"},
        {"odd": "ZeroDivisionError: ours"},
    ]
    assert "odd" not in state.failing


async def test_what_another_replica_does_for_all_is_left_to_it(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        await server.service.duties.hold(INTAKE, "another", lasting=timedelta(hours=1))
        await server.deliver(server.push()[1])
        async with serve_loops(server.service, pace=QUICK) as state:
            await until(lambda: {ANNOUNCE, RECONCILE, SWEEP} <= state.turned_at.keys())
    assert INTAKE not in state.turned_at


async def test_a_server_that_stops_lets_go_of_its_duties_at_once(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        async with serve_loops(server.service, pace=QUICK) as state:
            await until(lambda: {INTAKE, ANNOUNCE, RECONCILE, SWEEP} <= state.turned_at.keys())
        free = [
            await server.service.duties.hold(duty, "another", lasting=timedelta(hours=1))
            for duty in (INTAKE, ANNOUNCE, RECONCILE, SWEEP)
        ]
    assert free == [True] * 4


async def test_the_sweeper_removes_a_stack_whose_lease_is_over(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        await server.handle(server.push()[1])
        await server.until_quiet()
        assert len(server.stage.namespaces) == 1
        server.clock.advance(timedelta(days=2))
        async with serve_loops(server.service, pace=QUICK) as state:
            await until(lambda: server.stage.namespaces == {})
            await until(lambda: state.counts["swept.namespaces"] == 1)
    assert state.leaks == {}


async def test_a_delivery_that_comes_again_after_it_was_forgotten_starts_nothing(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        _, delivery = server.push()
        await server.handle(delivery)
        await server.until_quiet()
        server.clock.advance(timedelta(days=31))
        async with serve_loops(server.service, pace=QUICK) as state:
            await until(lambda: RECONCILE in state.turned_at)
            assert await server.service.inbox.find(delivery.id) is None
            await receive(server.service, delivery)
            state.ring(INTAKE)
            await until(lambda: state.counts["deliveries.started"] == 1)
        row = await server.the_run()
    assert (row.run.attempt, row.status) == (1, Status.ENDED)


async def test_a_forge_that_is_away_stops_no_other_loop(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        for verb in ("lost", "repositories"):
            server.forge.befall(verb, Misfortune.AWAY, times=1000)
        async with serve_loops(server.service, pace=QUICK) as state:
            await receive(server.service, server.push()[1])
            state.ring(INTAKE)
            await told_passed(server)
    assert state.counts["reconciled.failed"] >= 2
