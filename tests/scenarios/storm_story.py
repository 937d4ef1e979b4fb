"""A program that is killed: a server's loops on real records, with a forge that pushed a storm of tags before.

    python storm_story.py FOLDER SEED PUSHES [POSTGRES]

Takes in what whoever plays the webhook stores in the same records. CONDUCTOR_KILL_AFTER=N kills the process with -9 right before its Nth
transaction that writes. CONDUCTOR_ALL_SENT=1: the forge now says what was lost on the way and what its tags are, and the process ends by
itself, with how things stand, when nothing waits, nothing is active and all is told.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from conductor import durable, telemetry
from conductor.adapters.evidence.folder import FolderEvidence
from conductor.adapters.fake.builder import FakeBuilder
from conductor.adapters.fake.clock import PassingClock
from conductor.adapters.fake.engine import FakeEngine
from conductor.adapters.fake.forge import FakeForge, FakeRepository
from conductor.adapters.fake.hosting import FakeHosting
from conductor.adapters.fake.secrets import FakeSecrets
from conductor.adapters.stores.access import SqlAccess
from conductor.adapters.stores.inbox import SqlDuties, SqlInbox, SqlOutbox
from conductor.adapters.stores.queue import SqlQueue
from conductor.adapters.stores.sql import SqlStore
from conductor.adapters.stores.statements import Database
from conductor.domain.delivery import Delivery, DeliveryStatus
from conductor.domain.queue import Limits
from conductor.operations.serving import Pace, ServerState, serve_loops
from conductor.ports.service import Policy, Service
from conductor.ports.world import World, install

T = TypeVar("T")

REPOSITORIES = ("acme/shop", "acme/till", "acme/stock")
FILES = {
    ".conductor.yaml": "version: 1\ncleanup: always\ntests: {image: node, command: [yarn, test]}\n",
    "docker-compose.qa.yml": "services: {redis: {image: redis}}\n",
}
LOST = 0.1
DUPLICATES = 0.3
SHARED = 0.1
"""Of so many pushes the branch has another push: one supersedes the other."""


@dataclass(frozen=True)
class Storm:
    """What was pushed. `sent` is what reaches the server, in its order, duplicates and all; `lost` does not."""

    hosting: FakeHosting
    commits: frozenset[tuple[str, str]]
    sent: tuple[Delivery, ...]
    lost: tuple[Delivery, ...]


def storm(seed: int, pushes: int) -> Storm:
    """Push so many tags; the same each time, in whatever process."""
    chance = random.Random(seed)  # noqa: S311 -- a play
    hosting = FakeHosting(PassingClock())
    made: list[Delivery] = []
    commits: set[tuple[str, str]] = set()
    for number in range(pushes):
        remote = hosting.remote(chance.choice(REPOSITORIES))
        branch = f"shared-{number % 3}" if chance.random() < SHARED else f"branch-{number}"
        commit = remote.commit(branch)
        commits.add((remote.name, commit))
        made.append(hosting.push_tag(remote.name, f"run-integration-tests-{number}", commit))
    lost = [delivery for delivery in made if chance.random() < LOST]
    sent = [delivery for delivery in made if delivery not in lost]
    sent += [delivery for delivery in sent if chance.random() < DUPLICATES / (1 - LOST)]
    chance.shuffle(sent)
    return Storm(hosting=hosting, commits=frozenset(commits), sent=tuple(sent), lost=tuple(lost))


class DeadlyDatabase(Database):
    """Kills the process right before it has written so often."""

    left = int(os.environ.get("CONDUCTOR_KILL_AFTER", "0"))

    async def write(self, doing: str, work: Callable[[Connection], T]) -> T:
        if DeadlyDatabase.left == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        DeadlyDatabase.left -= 1
        return await super().write(doing, work)


async def main(folder: Path, seed: int, pushes: int, postgres: str | None) -> None:
    telemetry.configure()
    told = storm(seed, pushes)
    service = await _service(folder, told, postgres)
    install(service.world)
    await durable.launch(folder, database=postgres)
    pace = Pace(
        intake=timedelta(milliseconds=50),
        dispatch=timedelta(milliseconds=50),
        announce=timedelta(milliseconds=200),
        duty_lasts=timedelta(milliseconds=900),
    )
    async with serve_loops(service, pace=pace) as state:
        await _until_done(service, state, len(told.commits))
    sys.stdout.write(json.dumps(await _how_it_stands(service, told, state)))
    await durable.shutdown()
    await service.world.store.aclose()


async def _service(folder: Path, told: Storm, postgres: str | None) -> Service:
    store = await SqlStore.open(postgres or folder / "conductor.db")
    store.database.__class__ = DeadlyDatabase
    forge = FakeForge(
        {remote.location: FakeRepository(files=FILES) for remote in told.hosting.remotes.values()}
    )
    if os.environ.get("CONDUCTOR_ALL_SENT"):
        for delivery in told.lost[::2]:
            told.hosting.lose(delivery)
    else:
        for remote in told.hosting.remotes.values():
            remote.tags.clear()
    world = World(
        engine=FakeEngine(folder, misfortunes=()),
        builder=FakeBuilder(folder, misfortunes=()),
        forge=forge,
        store=store,
        evidence=FolderEvidence(folder),
        secrets=FakeSecrets(),
        clock=PassingClock(),
    )
    return Service(
        world=world,
        inbox=SqlInbox(store.database),
        outbox=SqlOutbox(store.database),
        duties=SqlDuties(store.database),
        queue=SqlQueue(store.database),
        access=SqlAccess(store.database),
        hostings={told.hosting.name: told.hosting},
        policy=Policy(repositories=("acme/*",), limits=Limits(runs=6)),
    )


async def _until_done(service: Service, state: ServerState, runs: int) -> None:
    """Go on until everything has come to its end; for ever, where more is still to be sent."""
    while True:
        await asyncio.sleep(0.1)
        if not os.environ.get("CONDUCTOR_ALL_SENT") or not state.counts["reconciled.turns"]:
            continue
        waiting = await service.inbox.deliveries(limit=1, status=DeliveryStatus.WAITING)
        rows = await service.world.store.list_runs(limit=10_000)
        if waiting or len(rows) < runs or await service.queue.entries():
            continue
        later = service.world.clock.now() + timedelta(days=1)
        if not await service.outbox.due(now=later, limit=1):
            return


async def _how_it_stands(service: Service, told: Storm, state: ServerState) -> dict[str, object]:
    rows = await service.world.store.list_runs(limit=10_000)
    return {
        "runs": [[row.run.repository, row.run.source.commit] for row in rows],
        "attempts": sorted({row.run.attempt for row in rows}),
        "verdicts": sorted({str(row.outcome and row.outcome.verdict) for row in rows}),
        "orphans": await durable.orphans(),
        "namespaces": [info.name for info in await service.world.engine.namespaces()],
        "counts": dict(state.counts),
    }


if __name__ == "__main__":
    arguments = sys.argv[1:]
    asyncio.run(main(Path(arguments[0]), int(arguments[1]), int(arguments[2]), (*arguments, None)[3]))
