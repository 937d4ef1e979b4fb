"""The kubernetes engine keeps the laws of `ports.engine` under the account that is shipped, on a real cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from tests.contract.engine_contract import EngineContract
from tests.contract.test_kubernetes_engine import KubernetesSubject, engine
from tests.kubernetes.clusters import KUBECONFIG, TOOLS, Cluster
from tests.kubernetes.installed import Installed, installed

from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.engine import KubernetesEngine
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.ports.engine import Place

__all__ = ["installed"]
pytestmark = pytest.mark.cluster


@pytest.fixture
async def subject(installed: Installed) -> AsyncIterator[KubernetesSubject]:
    """The engine as the account, and another instance's as the administrator."""
    run = f"t{uuid4().hex[:10]}"
    place = Place(namespace=f"conductor-{run}", run=run)
    site = Site(instance=installed.name, role=installed.role, tools_image=TOOLS)
    own = KubernetesEngine(Connection(kubeconfig=installed.kubeconfig), site=site)
    other = engine(Cluster(KUBECONFIG), f"{run}-other")
    try:
        yield KubernetesSubject(engine=own, other=other, place=place)
    finally:
        for one in (own, other):
            for namespace in await one.namespaces():
                await one.delete_namespace(namespace.name)
            await one.aclose()


class TestKubernetesEngineWithTheShippedRights(EngineContract):
    pass
