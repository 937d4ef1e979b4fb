"""A node that is lost, over the fake API server: what ran there is told, and nothing waits for it for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.contract.engine_contract import at_last, ended, raise_, running
from tests.contract.test_kubernetes_engine import KubernetesSubject, engine
from tests.kubernetes.clusters import Cluster, node_images
from tests.kubernetes.fake_api import FakeApiServer
from tests.kubernetes.fake_api.containers import Image, Processes

from conductor.domain.verdict import Fault, Reason
from conductor.ports.engine import Place

__all__ = ["node_images"]


@pytest.fixture
async def server(node_images: dict[str, Image], tmp_path: Path) -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer(tmp_path / "fake", runtime=Processes(), images=node_images) as made:
        yield made


@pytest.fixture
async def subject(server: FakeApiServer) -> AsyncIterator[KubernetesSubject]:
    cluster, name = Cluster(str(server.kubeconfig)), f"t{uuid4().hex[:10]}"
    place = Place(namespace=f"conductor-{name}", run=name)
    made = KubernetesSubject(engine(cluster, name), engine(cluster, f"{name}-other"), place)
    yield made
    await made.engine.aclose()
    await made.other.aclose()


async def test_a_namespace_whose_node_is_lost_is_removed_all_the_same(
    subject: KubernetesSubject, server: FakeApiServer
) -> None:
    await raise_(subject, subject.stays("web"))
    await at_last(subject, running("web"))
    server.kubelet.lose_node()
    state = await at_last(subject, ended("web"))
    assert (state.reason, state.fault) == (Reason.GONE, Fault.PLATFORM)
    assert await subject.engine.delete_namespace(subject.place.namespace) > 1
    assert await subject.engine.namespaces() == []
