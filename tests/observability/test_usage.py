"""What a stack uses is measured: by a container engine's statistics, by a cluster's metrics API, and the peak goes on record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from conductor.adapters.docker import cgroups
from conductor.adapters.docker.connection.client import Connection
from conductor.adapters.docker.engine import DockerEngine
from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.usage import NOT_AGAIN, ResourceMetrics
from conductor.domain.event import Kind
from conductor.domain.stack import Service
from conductor.ports.engine import Place
from conductor.ports.usage import Used
from tests.contract.engine_contract import at_last, raise_, running
from tests.scenarios.stage import Stage

MIB = 2**20
PODS = {
    "apiVersion": "metrics.k8s.io/v1beta1",
    "kind": "PodMetricsList",
    "metadata": {},
    "items": [
        {
            "metadata": {"name": f"backend-{number}", "labels": {"conductor.dev/workload": "backend"}},
            "containers": [
                {"name": "main", "usage": {"cpu": "250000000n", "memory": "64Mi"}},
                {"name": "side", "usage": {"cpu": "5m", "memory": "1024Ki"}},
            ],
        }
        for number in (1, 2)
    ],
}


class Subject:
    """What the contract's words want: an engine and a place."""

    def __init__(self, engine: DockerEngine, place: Place) -> None:
        self.engine = engine
        self.place = place


@pytest.fixture
async def subject(engine_state: Path, tmp_path: Path) -> AsyncIterator[Subject]:
    connection = Connection(state_folder=engine_state)
    name = f"t{uuid4().hex[:10]}"
    engine = DockerEngine(connection, instance=name, state_folder=tmp_path)
    yield Subject(engine, Place(namespace=f"conductor-{name}", run=name))
    await engine.delete_namespace(f"conductor-{name}")
    await connection.aclose()


@pytest.mark.engine
async def test_a_busy_container_uses_cpu_and_what_it_holds_in_memory_counts(subject: Subject, busybox: str):
    busy = Service(name="busy", image=busybox, command=("sh", "-c", "while :; do :; done"))
    idle = Service(name="idle", image=busybox, command=("sleep", "1000"))
    await raise_(subject, busy, idle)  # type: ignore[arg-type] -- of a subject it wants no more than these two
    await at_last(subject, running("busy"))  # type: ignore[arg-type] -- as above
    first = await subject.engine.usage(subject.place)
    assert first["busy"].cpu_cores == 0.0
    most = Used()
    async with asyncio.timeout(60):
        while most.cpu_cores < 0.2:
            found = await subject.engine.usage(subject.place)
            most = max(found["busy"], most, key=lambda one: one.cpu_cores)
    assert found.keys() == {"busy", "idle"}
    assert most.cpu_cores < 64
    assert 0 < most.memory_bytes < 64 * MIB
    assert found["idle"].cpu_cores < 0.1


async def test_a_clusters_pods_are_added_up_by_workload():
    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == "/apis/metrics.k8s.io/v1beta1/namespaces/conductor-shop-k3v9qd/pods"
        return httpx2.Response(200, json=PODS)

    found = await ResourceMetrics().usage(client(answer), "conductor-shop-k3v9qd")
    assert found == {"backend": Used(cpu_cores=0.51, memory_bytes=2 * 65 * MIB)}


@pytest.mark.parametrize(("status", "reason"), [(404, "NotFound"), (403, "Forbidden")])
async def test_a_cluster_that_cannot_or_may_not_tell_tells_nothing_and_is_left_alone_for_a_while(
    status: int, reason: str
):
    said = {"kind": "Status", "reason": reason, "message": f"pods.metrics.k8s.io is {reason}", "code": status}
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(status, json=said)

    times = [0.0]
    metrics = ResourceMetrics(now=lambda: times[0])
    for at in (0.0, 1.0, NOT_AGAIN.total_seconds() + 1):
        times[0] = at
        assert await metrics.usage(client(answer), "conductor-shop-k3v9qd") == {}
    assert len(asked) == 2


def client(answer: object) -> Client:
    transport = httpx2.MockTransport(answer)  # type: ignore[arg-type] -- each test's is a function of a request
    return Client(httpx2.AsyncClient(transport=transport, base_url="http://cluster"))


async def test_the_peak_of_a_run_is_on_record(tmp_path: Path):
    stage = Stage(tmp_path)
    stage.world = replace(stage.world, meter=stage.engine)
    async with stage.launched():
        run = await stage.request()
        await (await stage.start(run)).result()
        events = await stage.store.events(run.id)
        peaks = {one.subject: one.data for one in events if one.kind is Kind.USAGE_PEAKED}
        assert peaks["tests"]["cpu_cores"] >= 0.1
        assert (
            peaks["tests"]["memory_bytes"] == round(peaks["tests"]["cpu_cores"] * 10) * 32 * MIB
        )  # as it is played
        assert stage.world.news.usage == {}


def test_the_kernel_is_read_in_both_of_its_versions(tmp_path: Path):
    files = {
        "proc/7/cgroup": "4:memory:/m-id\n2:cpu,cpuacct:/c-id\n0::/x-id\n",
        "v1/cpuacct/c-id/cpuacct.usage": "2500000000\n",
        "v1/memory/m-id/memory.usage_in_bytes": "1000\n",
        "v1/memory/m-id/memory.stat": "inactive_file 1\ntotal_inactive_file 400\n",
        "proc/8/cgroup": "0::/x-id\n",
        "v2/x-id/cpu.stat": "usage_usec 1500000\nuser_usec 1\n",
        "v2/x-id/memory.current": "1000\n",
        "v2/x-id/memory.stat": "anon 1\ninactive_file 300\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    processes = tmp_path / "proc"
    assert cgroups.read(7, "id", root=tmp_path / "v1", processes=processes) == (2.5, 600)
    assert cgroups.read(8, "id", root=tmp_path / "v2", processes=processes) == (1.5, 700)
    assert cgroups.read(9, "id", root=tmp_path / "v2", processes=processes) is None
    assert cgroups.read(8, "another", root=tmp_path / "v2", processes=processes) is None
