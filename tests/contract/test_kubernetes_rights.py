"""The kubernetes engine keeps the laws of `ports.engine` under the account that is shipped, on a real cluster.

`CONDUCTOR_TEST_ACCOUNT` takes one that is installed there already, by whatever means: it names the kubeconfig of its account, and
`CONDUCTOR_TEST_INSTANCE` its instance. Without it, the chart's objects are applied under a name of their own.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from tests.contract.engine_contract import EngineContract
from tests.contract.test_kubernetes_engine import KubernetesSubject, engine
from tests.kubernetes.clusters import KUBECONFIG, Cluster
from tests.kubernetes.installed import Installed, installed

from conductor.ports.engine import Place

__all__ = ["installed"]
pytestmark = pytest.mark.cluster


ACCOUNT = os.environ.get("CONDUCTOR_TEST_ACCOUNT", "")
INSTANCE = os.environ.get("CONDUCTOR_TEST_INSTANCE", "conductor")


@pytest.fixture(scope="module")
def account(request: pytest.FixtureRequest) -> Installed:
    """The installation whose account is tried."""
    if ACCOUNT and KUBECONFIG:
        return Installed(name=INSTANCE, kubeconfig=ACCOUNT)
    made: Installed = request.getfixturevalue("installed")
    return made


@pytest.fixture
async def subject(account: Installed) -> AsyncIterator[KubernetesSubject]:
    """The engine as the account, and another instance's as the administrator."""
    run = f"t{uuid4().hex[:10]}"
    place = Place(namespace=f"conductor-{run}", run=run)
    own = account.engine()
    other = engine(Cluster(KUBECONFIG), f"{run}-other")
    try:
        yield KubernetesSubject(engine=own, other=other, place=place)
    finally:
        for one in (own, other):
            for namespace in await one.namespaces():
                if namespace.name.startswith(place.namespace):
                    await one.delete_namespace(namespace.name)
            await one.aclose()


class TestKubernetesEngineWithTheShippedRights(EngineContract):
    pass
