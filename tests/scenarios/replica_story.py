"""A replica of a server, to be killed: runs of the shop on the fake engine, with a state folder of its own on a Postgres that is shared.

    python replica_story.py DATABASE STATE ENGINE

It takes what dead replicas left, and starts each run whose id comes in a line on stdin; it writes `adopted WORKFLOW` and `lost` to stdout,
and each step that it does to `steps.txt` in the engine's folder. It ends when stdin does, and when it is taken for dead.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from conductor import durable
from conductor.adapters.evidence.folder import FolderEvidence
from conductor.adapters.fake.builder import FakeBuilder
from conductor.adapters.fake.engine import FakeEngine
from conductor.adapters.fake.forge import FakeForge, FakeRepository
from conductor.adapters.fake.secrets import FakeSecrets
from conductor.adapters.stores.sql import SqlStore
from conductor.adapters.system.clock import SystemClock
from conductor.domain.event import Event, StepRecord
from conductor.domain.run import Cleanup, Run, Source
from conductor.errors import StateError
from conductor.operations.replicas import adopt_orphans
from conductor.operations.start_run import start_or_resume
from conductor.ports.world import World, install
from tests.scenarios.run_story import FILES, SHOP

LOOK_SECONDS = 0.2


class TracingStore(SqlStore):
    """Keeps which steps were begun and ended, and where."""

    async def show_step(self, step: StepRecord, event: Event) -> None:
        await super().show_step(step, event)
        what = "end" if step.ended_at else "begin"
        with (ENGINE / "steps.txt").open("a") as trace:
            trace.write(f"{what} {step.run} {step.attempt} {step.name}/{step.subject}\n")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def adopt_again_and_again(world: World) -> None:
    while True:
        for workflow in (await adopt_orphans(world)).taken:
            say(f"adopted {workflow}")
        await asyncio.sleep(LOOK_SECONDS)


async def start(world: World, name: str) -> None:
    run = Run(
        id=name,
        repository="shop",
        source=Source(location=SHOP, commit="c" * 40, branch="main"),
        principal="kim",
        requested_at=datetime.now(UTC),
        cleanup=Cleanup.ALWAYS,
    )
    await world.store.save_run(run)
    await start_or_resume(world, run)
    say(f"started {name}")


async def lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


async def serve(world: World) -> None:
    asked = await lines()
    while line := (await asked.readline()).decode().strip():
        await start(world, line)


async def main(database: str, state: Path) -> None:
    world = World(
        engine=FakeEngine(ENGINE, misfortunes=()),
        builder=FakeBuilder(ENGINE, misfortunes=()),
        forge=FakeForge({SHOP: FakeRepository(files=FILES)}),
        store=await TracingStore.open(database),
        evidence=FolderEvidence(state),
        secrets=FakeSecrets(),
        clock=SystemClock(),
    )
    install(world)
    await durable.launch(state, database=database)
    say(f"launched {durable.executor()}")
    adopting = asyncio.create_task(adopt_again_and_again(world))
    serving = asyncio.create_task(serve(world))
    lost = asyncio.create_task(durable.until_lost())
    await asyncio.wait({serving, lost}, return_when=asyncio.FIRST_COMPLETED)
    if lost.done():
        say("lost")
    for task in (serving, lost):
        task.cancel()
    adopting.cancel()
    with suppress(asyncio.CancelledError, StateError):
        await adopting
    await durable.shutdown()
    await world.store.aclose()


if __name__ == "__main__":
    ENGINE = Path(sys.argv[3])
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
