"""The kubernetes engine keeps the laws of `ports.engine`, on a real cluster.

`CONDUCTOR_TEST_KUBECONFIG` names it. On its nodes are the busybox of `tests/engines.py` (or what `CONDUCTOR_TEST_IMAGE` names) and the
image of `deploy/tools` (`CONDUCTOR_TEST_TOOLS_IMAGE`): nothing is pulled.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

import pytest
from tests.contract.engine_contract import QUICK_CHECK, EngineContract
from tests.engines import BUSYBOX

from conductor.adapters.kubernetes.connection import Connection
from conductor.adapters.kubernetes.engine import KubernetesEngine
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.domain.stack import Service
from conductor.ports.engine import Place

pytestmark = pytest.mark.cluster
KUBECONFIG = os.environ.get("CONDUCTOR_TEST_KUBECONFIG", "")
IMAGE = os.environ.get("CONDUCTOR_TEST_IMAGE", BUSYBOX)
TOOLS = os.environ.get("CONDUCTOR_TEST_TOOLS_IMAGE", "localhost/conductor/tools:1")
SHORT = timedelta(seconds=0.1)


@dataclass
class KubernetesSubject:
    engine: KubernetesEngine
    other: KubernetesEngine
    place: Place

    def does(self, name: str, script: str, **more: object) -> Service:
        command = ("sh", "-c", script)
        return Service(name=name, image=IMAGE, command=command, stop_grace_period=SHORT, **more)

    def stays(self, name: str) -> Service:
        return self.does(name, "exec sleep 1000")

    def ends(self, name: str, code: int) -> Service:
        return self.does(name, f"exit {code}")

    def says(self, name: str, *lines: str, complains: str = "") -> Service:
        said = "".join(f"echo '{line}';" for line in lines)
        return self.does(name, said + (f"echo '{complains}' >&2" if complains else ""))

    def lacks_image(self, name: str) -> Service:
        return Service(name=name, image="localhost/conductor-test/nowhere:1", pull_policy="never")

    def lacks_program(self, name: str) -> Service:
        return Service(name=name, image=IMAGE, command=("/no/such/program",))

    def checked(self, name: str, *, well: bool) -> Service:
        check = replace(QUICK_CHECK, test=("CMD", "true" if well else "false"))
        return replace(self.stays(name), healthcheck=check)

    def leaves(self, name: str, *files: str, code: int) -> Service:
        made = "".join(f"mkdir -p $(dirname {file}); echo x > {file};" for file in files)
        return self.does(name, f"{made} exit {code}", working_dir="/work")


def engine(instance: str) -> KubernetesEngine:
    site = Site(instance=instance, tools_image=TOOLS)
    return KubernetesEngine(Connection(kubeconfig=KUBECONFIG), site=site)


@pytest.fixture
async def subject() -> AsyncIterator[KubernetesSubject]:
    if not KUBECONFIG:
        pytest.skip("no cluster to test with: name its kubeconfig in CONDUCTOR_TEST_KUBECONFIG")
    name = f"t{uuid4().hex[:10]}"
    place = Place(namespace=f"conductor-{name}", run=name)
    made = KubernetesSubject(engine=engine(name), other=engine(f"{name}-other"), place=place)
    try:
        yield made
    finally:
        for one in (made.engine, made.other):
            for namespace in await one.namespaces():
                await one.delete_namespace(namespace.name)
            await one.aclose()


class TestKubernetesEngine(EngineContract):
    pass
