"""Two replicas on one Postgres, each with a state folder of its own; one is killed in mid-run: nothing is lost, doubled or stuck.

CONDUCTOR_REPLICA_RUNS and CONDUCTOR_REPLICA_KILLS make it as long as wanted.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import pytest

from conductor.adapters.fake.machine import Machine
from conductor.adapters.stores.sql import SqlStore
from conductor.domain.event import Kind
from conductor.domain.run import Status
from conductor.domain.verdict import Verdict

pytestmark = [pytest.mark.crash, pytest.mark.timeout(1800)]

BOUND = 120.0
RUNS = int(os.environ.get("CONDUCTOR_REPLICA_RUNS", "12"))
KILLS = int(os.environ.get("CONDUCTOR_REPLICA_KILLS", "3"))
SEED = int(os.environ.get("CONDUCTOR_REPLICA_SEED", "7"))
ROOT = Path(__file__).parents[2]
TAKEN_OVER_WITHIN_SECONDS = 90.0
"""Much more than it takes: 5 s until a process is dead, and a look."""


@dataclass
class Replica:
    """One process, and what it said."""

    process: Process
    executor: str = ""
    adopted: dict[str, float] = field(default_factory=dict)
    """When it said so, by workflow."""
    started: set[str] = field(default_factory=set)
    is_lost: bool = False

    async def listen(self) -> None:
        assert self.process.stdout
        while line := (await self.process.stdout.readline()).decode().split():
            match line:
                case ["launched", executor]:
                    self.executor = executor
                case ["adopted", workflow]:
                    self.adopted[workflow] = time.monotonic()
                case ["started", run]:
                    self.started.add(run)
                case ["lost"]:
                    self.is_lost = True

    def ask_for(self, run: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{run}\n".encode())


@asynccontextmanager
async def replica(database: str, folder: Path, number: int) -> AsyncIterator[Replica]:
    """Run one; it ends in good order unless it was killed."""
    with (folder / f"replica-{number}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.scenarios.replica_story",
            database,
            str(folder / f"state-{number}"),
            str(folder),
            cwd=ROOT,
            stdin=PIPE,
            stdout=PIPE,
            stderr=log,
        )
    one = Replica(process)
    listening = asyncio.create_task(one.listen())
    try:
        async with asyncio.timeout(BOUND):
            while not one.executor and process.returncode is None:  # noqa: ASYNC110 -- another process is watched
                await asyncio.sleep(0.01)
        assert one.executor, (folder / f"replica-{number}.log").read_text()
        yield one
    finally:
        if process.returncode is None and process.stdin:
            process.send_signal(signal.SIGCONT)
            process.stdin.close()
        await asyncio.wait_for(process.wait(), BOUND)
        await listening


async def ended(store: SqlStore, *, most: int) -> int:
    return len(await store.list_runs(status=Status.ENDED, limit=most))


async def until_ended(store: SqlStore, count: int) -> None:
    async with asyncio.timeout(BOUND + count * 10):
        while await ended(store, most=count) < count:  # noqa: ASYNC110 -- other processes are watched
            await asyncio.sleep(0.1)


def steps_of(folder: Path) -> list[tuple[str, str]]:
    lines = (folder / "steps.txt").read_text().splitlines()
    return [(what, step) for what, _, step in (line.partition(" ") for line in lines)]


async def owned_by(store: SqlStore, executor: str) -> set[str]:
    rows = await store.list_runs(status=Status.RUNNING, limit=1000)
    return {row.run.id for row in rows if row.executor == executor}


async def test_no_run_is_lost_doubled_or_stuck_while_one_of_two_replicas_is_killed_again_and_again(
    postgres: str, tmp_path: Path
):
    dice = random.Random(SEED)  # noqa: S311 -- moments of kills
    store = await SqlStore.open(postgres)
    names = [f"shop-{number:04d}" for number in range(RUNS)]
    waiting = list(names)
    takeovers: list[float] = []
    async with replica(postgres, tmp_path, 0) as survivor:
        for kill in range(1, KILLS + 1):
            async with replica(postgres, tmp_path, kill) as victim:
                share = [waiting.pop() for _ in range(len(waiting) // (KILLS - kill + 1))]
                for number, name in enumerate(share):
                    (victim if number % 4 else survivor).ask_for(name)
                await asyncio.sleep(dice.uniform(0.1, 2.0))
                left = await owned_by(store, victim.executor)
                victim.process.kill()
                killed_at = time.monotonic()
                await victim.process.wait()
            takeovers += await taken_over(store, survivor, left, victim.executor, killed_at)
            for name in {*share} - {*share[::4]} - victim.started:
                survivor.ask_for(
                    name
                )  # it was killed before it had taken the run: nobody was told that it is
        await until_ended(store, RUNS)
    await nothing_is_lost_or_doubled(store, tmp_path, names)
    await store.aclose()
    report(takeovers)


async def test_a_replica_that_stood_still_lets_go_of_what_was_taken_over(postgres: str, tmp_path: Path):
    store = await SqlStore.open(postgres)
    names = [f"shop-{number:04d}" for number in range(6)]
    async with replica(postgres, tmp_path, 0) as survivor, replica(postgres, tmp_path, 1) as victim:
        for name in names:
            victim.ask_for(name)
        async with asyncio.timeout(BOUND):
            while victim.started != set(names):  # noqa: ASYNC110 -- another process is watched
                await asyncio.sleep(0.01)
        victim.process.send_signal(signal.SIGSTOP)
        assert await owned_by(store, victim.executor)
        await taken_over(store, survivor, set(names), victim.executor, time.monotonic())
        victim.process.send_signal(signal.SIGCONT)
        await asyncio.wait_for(victim.process.wait(), BOUND)
        await until_ended(store, len(names))
    await nothing_is_lost_or_doubled(store, tmp_path, names)
    await store.aclose()
    assert victim.is_lost


async def taken_over(
    store: SqlStore, survivor: Replica, left: set[str], dead: str, killed_at: float
) -> list[float]:
    """Wait until nothing of the dead replica's runs is without an owner; return the seconds that each took."""
    async with asyncio.timeout(TAKEN_OVER_WITHIN_SECONDS):
        while await owned_by(store, dead):  # noqa: ASYNC110 -- another process is watched
            await asyncio.sleep(0.05)
    moments = {
        workflow.split("/")[1]: at for workflow, at in survivor.adopted.items() if workflow.startswith("run/")
    }
    return [moments[run] - killed_at for run in left if moments.get(run, 0) > killed_at]


async def nothing_is_lost_or_doubled(store: SqlStore, folder: Path, names: list[str]) -> None:
    rows = await store.list_runs(limit=10 * RUNS)
    assert sorted(row.run.id for row in rows) == sorted(names)
    assert {row.outcome.verdict for row in rows if row.outcome} == {Verdict.PASSED}
    twice = {
        step: times
        for (what, step), times in Counter(steps_of(folder)).items()
        if times > 1 and what == "end"
    }
    assert twice == {}
    for name in names:
        events = await store.events(name)
        assert sum(event.kind is Kind.RUN_ENDED for event in events) == 1
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert Machine(folder / "fake-engine.json").look() == {}


def report(takeovers: list[float]) -> None:
    """Print the figures (`pytest -s`)."""
    if len(takeovers) > 1:
        cuts = quantiles(takeovers, n=100, method="inclusive")
        sys.stdout.write(
            f"\n{RUNS} runs, {KILLS} kills, {len(takeovers)} taken over:"
            f" p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s\n"
        )
