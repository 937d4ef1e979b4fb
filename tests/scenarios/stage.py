"""A stage for runs: the world that ships with Conductor to try it out, one repository, and real durable execution on a real file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from conductor import durable
from conductor.adapters.evidence.folder import FolderEvidence
from conductor.adapters.fake.builder import FakeBuilder
from conductor.adapters.fake.clock import FakeClock
from conductor.adapters.fake.engine import FakeEngine
from conductor.adapters.fake.forge import FakeForge, FakeRepository
from conductor.adapters.fake.history import FakeHistory
from conductor.adapters.fake.machine import Machine, Namespaces
from conductor.adapters.fake.misfortunes import parse_misfortunes
from conductor.adapters.fake.secrets import FakeSecrets
from conductor.adapters.fake.store import FakeStore
from conductor.domain.budget import Budget
from conductor.domain.cost import Tariff
from conductor.domain.event import Event, Kind
from conductor.domain.report import Report
from conductor.domain.retention import Retention
from conductor.domain.run import Run
from conductor.domain.verdict import Outcome
from conductor.operations import start_run
from conductor.operations.start_run import RunRequest
from conductor.ports.world import World, install

SHOP = "/srv/shop"
BOUND_SECONDS = 30.0

PLAN = """
version: 1
tests: {command: [yarn, test], timeout: 10m}
"""
COMPOSE = """
services:
  redis: {image: redis, healthcheck: {test: [CMD, redis-cli, ping]}}
  backend: {build: ./backend, depends_on: {redis: {condition: service_healthy}}}
"""


class Stage:
    """A machine, a repository, and what Conductor knows. `fail` is what goes wrong, in the words of CONDUCTOR_FAIL."""

    def __init__(
        self,
        folder: Path,
        *,
        plan: str = PLAN,
        compose: str = COMPOSE,
        fail: str = "",
        secrets: Mapping[str, str] | None = None,
        **ports: Any,
    ) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.machine = Machine()
        misfortunes = parse_misfortunes(fail)
        self.engine = ports.pop("engine", FakeEngine)(
            machine=self.machine, clock=self.clock, misfortunes=misfortunes
        )
        self.builder = ports.pop("builder", FakeBuilder)(misfortunes=misfortunes)
        self.store = ports.pop("store", FakeStore)()
        files = {
            ".conductor.yaml": plan,
            "docker-compose.qa.yml": compose,
            "Dockerfile": "FROM node",
            "backend/Dockerfile": "FROM node",
        }
        self.forge = FakeForge({SHOP: FakeRepository(files=files)})
        self.world = World(
            engine=self.engine,
            builder=self.builder,
            forge=self.forge,
            store=self.store,
            evidence=FolderEvidence(folder),
            secrets=FakeSecrets(secrets),
            clock=self.clock,
            budget=ports.pop("budget", Budget()),
            registry=ports.pop("registry", None),
            scan_gate=ports.pop("scan_gate", None),
            history=FakeHistory(self.store),
            tariff=ports.pop("tariff", Tariff()),
            retention=ports.pop("retention", Retention()),
            attester=ports.pop("attester", None),
        )

    @asynccontextmanager
    async def launched(self) -> AsyncIterator[Stage]:
        """Be a process of Conductor in this world; at the end of the block it is gone, and what ran is cut off."""
        install(self.world)
        await durable.launch(self.folder)
        try:
            yield self
        finally:
            await durable.shutdown()
            install(None)

    async def request(self, **asked: Any) -> Run:
        """Ask for a run of the shop."""
        return await start_run.request(self.world, RunRequest(location=SHOP, principal="kim", **asked))

    async def start(self, run: Run) -> durable.Handle[Outcome]:
        """Start it, or go on with it."""
        return await start_run.start_or_resume(self.world, run)

    async def run(self, **asked: Any) -> tuple[Run, Outcome]:
        """Run it to its end."""
        run = await self.request(**asked)
        handle = await self.start(run)
        return run, await asyncio.wait_for(handle.result(), BOUND_SECONDS)

    async def resume(self, run: Run) -> Outcome:
        """Go on with it to its end."""
        _, handle = await start_run.resume(self.world, run.id)
        return await asyncio.wait_for(handle.result(), BOUND_SECONDS)

    async def cancel(self, run: Run) -> Outcome:
        """Stop it for good."""
        return await asyncio.wait_for(start_run.cancel(self.world, run.id), BOUND_SECONDS)

    async def until(self, run: Run, kind: Kind, subject: str = "") -> Event:
        """Wait for an event of the run."""
        async with asyncio.timeout(BOUND_SECONDS):
            while True:
                for event in self.store.log.get(run.id, ()):
                    if event.kind is kind and event.subject == subject:
                        return event
                await asyncio.sleep(0)

    async def until_told(self, run: Run, kind: Kind) -> None:
        """Wait for an event of that very attempt."""
        async with asyncio.timeout(BOUND_SECONDS):
            while not any(  # noqa: ASYNC110 -- as many turns as it takes
                event.kind is kind and event.key.startswith(f"{run.attempt}/")
                for event in self.store.log.get(run.id, ())
            ):
                await asyncio.sleep(0)

    async def until_attempt(self, run: Run, attempt: int) -> None:
        """Wait for another attempt to be on record."""
        async with asyncio.timeout(BOUND_SECONDS):
            while (run.id, attempt) not in self.store.runs:  # noqa: ASYNC110 -- as many turns as it takes
                await asyncio.sleep(0)

    def report(self, run: Run, attempt: int = 1) -> Report:
        """Return the report of an attempt."""
        return self.store.reports[run.id, attempt]

    def share(self, other: Stage) -> None:
        """Stand on the same machine as another stage, and know what it knows; with secrets of its own."""
        self.store = other.store
        self.world = replace(other.world, secrets=self.world.secrets)

    def lose_mark(self, namespace: str) -> None:
        """Make the mark of a namespace unreadable."""
        with self.machine.change() as namespaces:
            namespaces[namespace] = replace(namespaces[namespace], lease=None)

    def never_healthy(self, run: Run, service: str) -> None:
        """Let the health check of a service fail from now on."""
        with self.machine.change() as namespaces:
            known = namespaces[run.namespace]
            workload = known.workloads[service]
            sick = replace(workload, performance=replace(workload.performance, healthy_after=None))
            namespaces[run.namespace] = replace(known, workloads={**known.workloads, service: sick})

    @property
    def namespaces(self) -> Namespaces:
        """What stands on the machine."""
        return self.machine.look()

    def told(self, run: Run) -> list[tuple[Kind, str]]:
        """Return kind and subject of the run's events, in order."""
        return [(event.kind, event.subject) for event in self.store.log[run.id]]


def second(run: Run) -> Run:
    """Return the second attempt of a run."""
    return replace(run, attempt=2)
