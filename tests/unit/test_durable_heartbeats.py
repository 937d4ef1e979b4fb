"""On Postgres a young heartbeat is the sign of life, and a row that is there is the ownership."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from conductor.durable.heartbeats import DEAD_AFTER, GIVE_UP_AFTER, Heartbeats
from conductor.errors import ConflictError, UnreachableError

BOUND = 30.0
ENTERING = (
    "import sys, time\n"
    "from conductor.durable.heartbeats import Heartbeats\n"
    "own = Heartbeats(sys.argv[1])\n"
    "print(own.enter('other'), flush=True)\n"
    "while not own.is_lost(): time.sleep(0.01)\n"
    "print('lost', flush=True)\n"
)


@pytest.fixture
async def one(postgres: str) -> AsyncIterator[Heartbeats]:
    made = Heartbeats(postgres)
    made.enter("one")
    yield made
    made.leave()


@pytest.fixture
async def other(postgres: str) -> AsyncIterator[Heartbeats]:
    made = Heartbeats(postgres)
    yield made
    made.leave()


def grow_old(database: str, executor: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "UPDATE durable.executors SET beat = beat - %s WHERE id = %s", (DEAD_AFTER, executor)
        )


async def until_lost(own: Heartbeats) -> None:
    async with asyncio.timeout(BOUND):
        while not own.is_lost():  # noqa: ASYNC110 -- a thread and a clock are watched
            await asyncio.sleep(0.01)


async def entered(database: str) -> tuple[Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ENTERING, database, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout
    line = await asyncio.wait_for(process.stdout.readline(), BOUND)
    return process, line.decode().strip()


async def test_who_entered_lives_until_it_leaves(one: Heartbeats, other: Heartbeats):
    assert await other.living([one.own, "never-was"]) == {one.own}
    one.leave()
    assert await other.living([one.own]) == set()


async def test_processes_that_make_the_table_at_the_same_time_do_so_once(postgres: str):
    together = [Heartbeats(postgres) for _ in range(5)]
    ids = await asyncio.gather(*(asyncio.to_thread(each.enter, "same") for each in together))
    assert await together[0].living(ids) == set(ids)
    assert len(set(ids)) == 5
    for each in together:
        each.leave()


async def test_a_living_process_is_not_taken_over_and_is_named(one: Heartbeats, other: Heartbeats):
    with pytest.raises(ConflictError, match=rf"process {os.getpid()} on "):
        async with other.takeover(one.own):
            pass
    assert not one.is_lost()


async def test_who_is_taken_over_finds_out_with_its_next_beat(
    one: Heartbeats, other: Heartbeats, postgres: str
):
    async with asyncio.timeout(BOUND):
        while True:
            grow_old(postgres, one.own)
            try:
                async with other.takeover(one.own):
                    break
            except ConflictError:  # it has beaten in between
                continue
    await until_lost(one)
    assert await other.living([one.own]) == set()


async def test_only_one_takes_a_dead_process_over_at_a_time(other: Heartbeats, one: Heartbeats):
    inside: list[int] = []

    async def take(number: int, by: Heartbeats) -> None:
        async with by.takeover("vm-1-abcdef"):
            inside.append(number)
            assert inside == [number]
            await asyncio.sleep(0)
            inside.remove(number)

    await asyncio.gather(take(1, one), take(2, other))


async def test_the_dead_are_forgotten_and_the_living_stay(one: Heartbeats, other: Heartbeats, postgres: str):
    process, dead = await entered(postgres)
    process.kill()
    await process.communicate()
    grow_old(postgres, dead)
    await other.sweep()
    assert await other.living([dead, one.own]) == {one.own}
    assert await other.describe(dead) == f"executor {dead}"


async def test_a_killed_process_is_dead_once_its_last_beat_is_old(postgres: str, other: Heartbeats):
    process, executor = await entered(postgres)
    process.kill()
    await process.communicate()
    assert await other.living([executor]) == {executor}
    async with asyncio.timeout(BOUND):
        while await other.living([executor]):  # noqa: ASYNC110 -- another process is watched
            await asyncio.sleep(0.05)


async def test_a_process_that_stood_still_and_was_taken_over_is_lost_when_it_goes_on(
    postgres: str, other: Heartbeats
):
    process, executor = await entered(postgres)
    process.send_signal(signal.SIGSTOP)
    async with asyncio.timeout(BOUND):
        while await other.living([executor]):  # noqa: ASYNC110 -- another process is watched
            await asyncio.sleep(0.05)
    async with other.takeover(executor):
        process.send_signal(signal.SIGCONT)
    out, err = await asyncio.wait_for(process.communicate(), BOUND)
    assert (out, err) == (b"lost\n", b"")


async def test_a_process_whose_database_is_away_gives_up_before_others_may_take_it_over(
    one: Heartbeats, postgres: str, postgres_server: str
):
    assert GIVE_UP_AFTER < DEAD_AFTER
    name = conninfo_to_dict(postgres)["dbname"]
    with psycopg.connect(postgres_server, autocommit=True) as server:
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        await until_lost(one)
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


async def test_a_database_that_is_not_there_is_told_without_its_password(tmp_path: Path):
    own = Heartbeats(f"postgresql://nobody:hunter2@/nowhere?host={tmp_path}")
    with pytest.raises(UnreachableError) as caught:
        own.enter()
    own.leave()
    assert "hunter2" not in str(caught.value)
