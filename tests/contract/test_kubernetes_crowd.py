"""A crowd of runs on one API server, over the fake one: few connections, one watch per kind, and being turned away is borne."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.kubernetes.fake_api.server import FakeApiServer
from tests.kubernetes.fake_api.suites import PlayedSuites

from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.engine import KubernetesEngine
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.domain.lease import Lease
from conductor.domain.stack import Job, Network, Service, Stack
from conductor.domain.states import Phase
from conductor.ports.engine import Place

CROWD = 20
KINDS = 7
STACK = Stack(
    name="crowd",
    services=(Service(name="web", image="app:1", command=("sh", "-c", "sleep infinity"), restart="always"),),
    networks=(Network(name="default"),),
)
SUITE = Job(
    workload=Service(name="tests", image="app:1", command=("sh", "-c", "exit 0")),
    time_limit=timedelta(minutes=5),
)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer(tmp_path, runtime=PlayedSuites(), pace=0.01, track_owners=False) as server:
        yield server


@pytest.fixture
async def engine(server: FakeApiServer) -> AsyncIterator[KubernetesEngine]:
    engine = KubernetesEngine(Connection(kubeconfig=str(server.kubeconfig)), site=Site(instance="crowd"))
    yield engine
    await engine.aclose()


async def run(engine: KubernetesEngine, name: str) -> None:
    """Do of one run what costs requests."""
    place = Place(namespace=f"conductor-{name}", run=name)
    now = datetime.now(UTC)
    lease = Lease(
        namespace=place.namespace, run=name, repository="acme/crowd", created_at=now, expires_at=now
    )
    await engine.create_namespace(place, lease)
    await engine.apply(place, STACK, STACK.services[0])
    await engine.start_job(place, STACK, SUITE)
    async with aclosing(engine.watch(place)) as watch:
        async for states in watch:
            if "tests" in states and states["tests"].phase is Phase.ENDED:
                break
    assert await engine.delete_namespace(place.namespace) > 0


async def everyone(engine: KubernetesEngine) -> None:
    async with asyncio.timeout(120), asyncio.TaskGroup() as runs:
        for number in range(CROWD):
            runs.create_task(run(engine, f"run-{number}"))


async def test_a_crowd_shares_one_watch_of_each_kind(server: FakeApiServer, engine: KubernetesEngine) -> None:
    await everyone(engine)
    watches = {kind: count for (verb, kind), count in server.faults.asked.items() if verb == "watch"}
    assert set(watches.values()) == {1}
    assert len(watches) == KINDS


async def test_a_crowd_that_is_turned_away_again_and_again_ends_well(
    server: FakeApiServer, engine: KubernetesEngine
) -> None:
    for verb in ("create", "patch", "delete", "get", "list"):
        server.faults.busy(verb=verb, times=3 * CROWD)
    await everyone(engine)
    assert await engine.namespaces() == []


async def test_who_list_the_namespaces_at_the_same_time_share_the_answers(
    server: FakeApiServer, engine: KubernetesEngine
) -> None:
    await asyncio.gather(*(engine.namespaces() for _ in range(CROWD)))
    assert server.faults.asked["list", "namespaces"] == 1
    await engine.namespaces()
    assert server.faults.asked["list", "namespaces"] == 2
