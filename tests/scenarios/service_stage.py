"""A stage for a server: the fake forge sends deliveries, records are a real database, and each loop turns when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from conductor.adapters.fake.forge import FakeRepository
from conductor.adapters.fake.hosting import FakeHosting, FakeRemote
from conductor.adapters.fake.issues import FakeIssues
from conductor.adapters.plain.workspaces import PlainWorkspaces
from conductor.adapters.stores.access import SqlAccess
from conductor.adapters.stores.claims import SqlClaims
from conductor.adapters.stores.environments import SqlEnvironments
from conductor.adapters.stores.inbox import SqlDuties, SqlInbox, SqlOutbox
from conductor.adapters.stores.queue import SqlQueue
from conductor.adapters.stores.sql import SqlStore
from conductor.domain.delivery import Delivery, DeliveryStatus
from conductor.domain.environment import WorkspaceKind
from conductor.domain.event import Kind
from conductor.domain.queue import Limits, Standing
from conductor.domain.run import Run, Status
from conductor.operations.announce import announce
from conductor.operations.dispatch import Dispatcher
from conductor.operations.intake import receive, take_in
from conductor.operations.reconcile import Reconciler
from conductor.ports.issues import Tracking
from conductor.ports.service import Policy, Service
from conductor.ports.store import RunRow
from conductor.ports.world import WorkspaceRules
from tests.scenarios.stage import COMPOSE, PLAN, Stage

SHOP = "acme/shop"
TAG = "run-integration-tests"
BOUND_SECONDS = 60.0

SMALL_PLAN = "version: 1\ntests: {image: node, command: [yarn, test]}\n"
SMALL_COMPOSE = "services: {}\n"


class Server:
    """A server with one forge and one repository. `limits` are the queue's."""

    def __init__(
        self,
        folder: Path,
        *,
        limits: Limits | None = None,
        policy: Policy | None = None,
        plan: str = PLAN,
        default: str | None = None,
        compose: str = COMPOSE,
        **stage: Any,
    ) -> None:
        self.folder = folder
        self.stage = Stage(folder, **stage)
        self.clock = self.stage.clock
        self.forge = FakeHosting(self.clock)
        self.issues = FakeIssues()
        self.shop: FakeRemote = self.forge.remote(SHOP)
        self.issues.locations[SHOP] = self.shop.location
        files = {
            ".conductor.yaml": plan,
            "docker-compose.qa.yml": compose,
            "Dockerfile": "FROM node",
            "backend/Dockerfile": "FROM node",
        }
        trusted = {**files, ".conductor.yaml": plan if default is None else default}
        self.stage.forge.repositories[self.shop.location] = FakeRepository(files=files, default=trusted)
        self.policy = policy or Policy(repositories=("acme/*",), limits=limits or Limits())
        self.most_active: dict[str, int] = {}
        """The most runs of each branch that were active at a time."""

    @asynccontextmanager
    async def launched(self) -> AsyncIterator[Server]:
        """Be one process of the server; its loops turn when they are told to."""
        store = await SqlStore.open(self.folder / "conductor.db")
        database = store.database
        self.stage.world = replace(
            self.stage.world,
            store=store,
            environments=SqlEnvironments(database),
            workspaces={WorkspaceKind.PLAIN: PlainWorkspaces(self.stage.engine)},
            workspace=WorkspaceRules(image="localhost/dev:1"),
        )
        self.service = Service(
            world=self.stage.world,
            inbox=SqlInbox(database),
            outbox=SqlOutbox(database),
            duties=SqlDuties(database),
            queue=SqlQueue(database),
            access=SqlAccess(database),
            hostings={self.forge.name: self.forge},
            policy=self.policy,
            tracking=Tracking(
                claims=SqlClaims(database),
                issues={self.issues.name: self.issues},
                clock=self.clock,
                allowed=self.policy.repositories,
            ),
        )
        try:
            async with self.stage.launched():
                self.dispatcher = Dispatcher(self.service)
                self.reconciler = Reconciler(self.service)
                yield self
                await self.dispatcher.aclose()
        finally:
            await store.aclose()

    async def deliver(self, *deliveries: Delivery) -> None:
        """Store deliveries, as the webhook does."""
        for delivery in deliveries:
            await receive(self.service, delivery)

    async def handle(self, *deliveries: Delivery) -> list[Delivery]:
        """Store deliveries, take them in once, and return them as they stand then."""
        await self.deliver(*deliveries)
        await take_in(self.service)
        return [await self.find(delivery) for delivery in deliveries]

    async def find(self, delivery: Delivery) -> Delivery:
        """Return a delivery as it is on record."""
        found = await self.service.inbox.find(delivery.id)
        assert found is not None
        return found

    async def dispatch(self) -> None:
        """Turn the queue once, and see that no branch has two runs at work."""
        await self.dispatcher.turn()
        active: dict[str, int] = {}
        for entry in await self.service.queue.entries():
            if entry.standing is Standing.ACTIVE:
                active[entry.branch] = active.get(entry.branch, 0) + 1
        for branch, number in active.items():
            self.most_active[branch] = max(number, self.most_active.get(branch, 0))

    async def until_quiet(self) -> None:
        """Go on until nothing waits and nothing is active, then tell the forge."""
        async with asyncio.timeout(BOUND_SECONDS):
            while True:
                await take_in(self.service)
                await self.dispatch()
                await asyncio.sleep(0)
                if not await self.service.queue.entries():
                    break
        await self.tell()

    async def until(self, run: Run, kind: Kind) -> None:
        """Go on until an event of a run."""
        async with asyncio.timeout(BOUND_SECONDS):
            while all(event.kind is not kind for event in await self.service.world.store.events(run.id)):
                await self.dispatch()

    async def tell(self) -> None:
        """Tell the forge what is due, some time later."""
        self.clock.advance(timedelta(minutes=1))
        await announce(self.service)

    async def runs(self) -> Sequence[RunRow]:
        """Return all runs, each in its latest attempt."""
        rows = await self.service.world.store.list_runs(limit=5000)
        latest: dict[str, RunRow] = {}
        for row in sorted(rows, key=lambda row: row.run.attempt):
            latest[row.run.id] = row
        return list(latest.values())

    async def the_run(self) -> RunRow:
        """Return the only run."""
        (row,) = await self.runs()
        return row

    async def of_commit(self, commit: str) -> RunRow:
        """Return the run of a commit, in its latest attempt."""
        (row,) = [row for row in await self.runs() if row.run.source.commit == commit]
        return row

    def push(self, tag: str = TAG, *, branch: str = "main") -> tuple[str, Delivery]:
        """Commit to a branch and tag it: what an agent does."""
        commit = self.shop.commit(branch)
        return commit, self.forge.push_tag(SHOP, tag, commit)


def statuses(deliveries: Sequence[Delivery]) -> list[DeliveryStatus]:
    return [delivery.status for delivery in deliveries]


def has_ended(row: RunRow) -> bool:
    return row.status is Status.ENDED
