"""A program that is killed: a development environment with the fakes, on real files that outlive it.

    python environment_story.py FOLDER [release]

Takes over what a dead process left, asks for the environment and waits for it, or releases it; prints how it stands. Each step's begin goes
to `begun.txt`. CONDUCTOR_KILL_AT=STEP kills the process with -9 when that step has done everything, and before its end is shown.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from conductor import durable
from conductor.adapters.evidence.folder import FolderEvidence
from conductor.adapters.fake.builder import FakeBuilder
from conductor.adapters.fake.clock import PassingClock
from conductor.adapters.fake.engine import FakeEngine
from conductor.adapters.fake.forge import FakeForge, FakeRepository
from conductor.adapters.fake.secrets import FakeSecrets
from conductor.adapters.plain.workspaces import PlainWorkspaces
from conductor.adapters.stores.environments import SqlEnvironments
from conductor.adapters.stores.sql import SqlStore
from conductor.domain.environment import WorkspaceKind
from conductor.domain.event import Event, StepRecord
from conductor.operations import environments
from conductor.operations.replicas import adopt_orphans
from conductor.ports.world import WorkspaceRules, World, install

SHOP = "/srv/shop"
FILES = {".conductor.yaml": "version: 1\nsecrets: [KEY]\ntests: {image: node, command: [yarn, test]}\n"}


class KillingStore(SqlStore):
    """Kills the process at the end of a step."""

    async def show_step(self, step: StepRecord, event: Event) -> None:
        if step.ended_at is None:
            with (FOLDER / "begun.txt").open("a") as begun:
                begun.write(f"{step.name}\n")
        elif os.environ.get("CONDUCTOR_KILL_AT") == step.name:
            os.kill(os.getpid(), signal.SIGKILL)
        await super().show_step(step, event)


async def main(*, release: bool) -> None:
    store = await KillingStore.open(FOLDER / "conductor.db")
    engine = FakeEngine(FOLDER, misfortunes=())
    world = World(
        engine=engine,
        builder=FakeBuilder(FOLDER, misfortunes=()),
        forge=FakeForge({SHOP: FakeRepository(files=FILES)}),
        store=store,
        evidence=FolderEvidence(FOLDER),
        secrets=FakeSecrets({"KEY_DEV": "hunter2hunter2"}),
        clock=PassingClock(),
        environments=SqlEnvironments(store.database),
        workspaces={WorkspaceKind.PLAIN: PlainWorkspaces(engine)},
        workspace=WorkspaceRules(image="localhost/dev:1"),
    )
    install(world)
    await durable.launch(FOLDER)
    await adopt_orphans(world)
    asked = environments.EnvironmentRequest(location=SHOP, principal="kim", issue=12)
    row = await environments.request(world, asked)
    row = await environments.wait(world, row.environment.id, timeout=timedelta(seconds=30))
    if release:
        await environments.release(world, row.environment.id)
    found = await environments.list_environments(world, ended=True)
    told = {view.row.environment.id: str(view.row.state.status) for view in found}
    namespaces = [info.name for info in await engine.namespaces()]
    orphans = await durable.orphans()
    sys.stdout.write(json.dumps({"environments": told, "namespaces": namespaces, "orphans": orphans}))
    await durable.shutdown()


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    asyncio.run(main(release=sys.argv[2:] == ["release"]))
