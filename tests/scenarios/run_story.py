"""A program that is killed: a run of the shop with the fakes, on real files that outlive it.

    python run_story.py FOLDER [RUN]

Starts a run, or goes on with RUN, and prints how it ended. Each step's begin goes to `begun.txt`. CONDUCTOR_KILL_AT=STEP kills the
process with -9 when that step has done everything, and before its end is shown.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from conductor import durable
from conductor.adapters.evidence.folder import FolderEvidence
from conductor.adapters.fake.builder import FakeBuilder
from conductor.adapters.fake.clock import PassingClock
from conductor.adapters.fake.engine import FakeEngine
from conductor.adapters.fake.forge import FakeForge, FakeRepository
from conductor.adapters.fake.secrets import FakeSecrets
from conductor.adapters.stores.sql import SqlStore
from conductor.domain.event import Event, StepRecord
from conductor.operations import start_run
from conductor.ports.world import World, install

SHOP = "/srv/shop"
FILES = {
    ".conductor.yaml": "version: 1\ntests: {command: [yarn, test]}\n",
    "docker-compose.qa.yml": "services:\n"
    "  redis: {image: redis, healthcheck: {test: [CMD, redis-cli, ping]}}\n"
    "  backend: {build: ./backend, depends_on: {redis: {condition: service_healthy}}}\n",
    "Dockerfile": "FROM node",
    "backend/Dockerfile": "FROM node",
}


class KillingStore(SqlStore):
    """Kills the process at the end of a step."""

    async def show_step(self, step: StepRecord, event: Event) -> None:
        name = f"{step.name}/{step.subject}" if step.subject else step.name
        if step.ended_at is None:
            with (FOLDER / "begun.txt").open("a") as begun:
                begun.write(f"{name}\n")
        elif os.environ.get("CONDUCTOR_KILL_AT") == name:
            os.kill(os.getpid(), signal.SIGKILL)
        await super().show_step(step, event)


async def main(run_id: str | None) -> None:
    world = World(
        engine=FakeEngine(FOLDER, misfortunes=()),
        builder=FakeBuilder(FOLDER, misfortunes=()),
        forge=FakeForge({SHOP: FakeRepository(files=FILES)}),
        store=await KillingStore.open(FOLDER / "conductor.db"),
        evidence=FolderEvidence(FOLDER),
        secrets=FakeSecrets(),
        clock=PassingClock(),
    )
    install(world)
    await durable.launch(FOLDER)
    if run_id is None:
        run = await start_run.request(world, start_run.RunRequest(location=SHOP, principal="kim"))
        handle = await start_run.start_or_resume(world, run)
    else:
        run, handle = await start_run.resume(world, run_id)
    outcome = await handle.result()
    orphans = await durable.orphans()
    logs = {
        name: [line.text async for line in world.evidence.read_log(run.id, 1, workload=name)]
        for name in await world.evidence.workloads(run.id, 1)
    }
    sys.stdout.write(
        json.dumps({"run": run.id, "verdict": outcome.verdict, "orphans": orphans, "logs": logs})
    )
    await durable.shutdown()
    await world.store.aclose()


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    asyncio.run(main(sys.argv[2] if len(sys.argv) > 2 else None))
