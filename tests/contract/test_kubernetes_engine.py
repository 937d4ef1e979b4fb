"""The kubernetes engine keeps the laws of `ports.engine`: over the fake API server, and on a real cluster.

`CONDUCTOR_TEST_KUBECONFIG` names that one, as its administrator; what has to be on its nodes stands in `tests/kubernetes/clusters.py`.
The same laws under the account of `deploy/` are in `test_kubernetes_rights.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

import pytest
from tests.contract.engine_contract import (
    QUICK_CHECK,
    EngineContract,
    TerminalContract,
    at_last,
    raise_,
)
from tests.kubernetes.clusters import IMAGE, Cluster, cluster, node_images

from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.api.kinds import CONFIG_MAP
from conductor.adapters.kubernetes.engine import KubernetesEngine
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.domain.stack import Hook, Service
from conductor.domain.states import Phase
from conductor.domain.verdict import Reason
from conductor.errors import ConflictError
from conductor.ports.engine import Place

__all__ = ["cluster", "node_images"]
SHORT = timedelta(seconds=0.1)


@dataclass
class KubernetesSubject:
    engine: KubernetesEngine
    other: KubernetesEngine
    place: Place
    mixes_streams: bool = True

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


def engine(cluster: Cluster, instance: str) -> KubernetesEngine:
    site = Site(instance=instance, tools_image=cluster.tools)
    return KubernetesEngine(Connection(kubeconfig=cluster.kubeconfig), site=site)


@pytest.fixture
async def subject(cluster: Cluster) -> AsyncIterator[KubernetesSubject]:
    name = f"t{uuid4().hex[:10]}"
    place = Place(namespace=f"conductor-{name}", run=name)
    made = KubernetesSubject(
        engine=engine(cluster, name), other=engine(cluster, f"{name}-other"), place=place
    )
    try:
        yield made
    finally:
        for one in (made.engine, made.other):
            for namespace in await one.namespaces():
                await one.delete_namespace(namespace.name)
            await one.aclose()


class TestKubernetesEngine(EngineContract, TerminalContract):
    pass


HELD = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "held", "finalizers": ["backup.example/wait"]},
}


async def test_a_finalizer_of_somebody_else_is_reported_and_never_taken_off(
    subject: KubernetesSubject, cluster: Cluster
) -> None:
    if cluster.fake:
        pytest.skip("the fake API server knows nothing of a namespace's conditions")
    await raise_(subject)
    namespace = subject.place.namespace
    connection = Connection(kubeconfig=cluster.kubeconfig)
    client = await connection.client()
    await client.create({**HELD, "metadata": {**HELD["metadata"], "namespace": namespace}})
    try:
        with pytest.raises(ConflictError, match=r"backup\.example/wait"):
            await subject.engine.delete_namespace(namespace)
        held = await client.get(CONFIG_MAP, "held", namespace)
        assert held["metadata"]["finalizers"] == ["backup.example/wait"]
    finally:
        await client.patch(CONFIG_MAP, "held", {"metadata": {"finalizers": None}}, namespace)
        await connection.aclose()


async def test_a_command_after_the_start_that_fails_is_a_state_although_the_program_ends_well(
    subject: KubernetesSubject,
) -> None:
    fails = Hook(command=("sh", "-c", "exit 4"))
    web = subject.does("web", "trap 'exit 0' TERM; while :; do sleep 0.1; done")
    await raise_(subject, replace(web, post_start=(fails,), stop_grace_period=timedelta(seconds=5)))
    state = await at_last(subject, lambda states: "web" in states and states["web"].reason and states["web"])
    assert (state.phase, state.reason, state.exit_code) == (Phase.PENDING, Reason.ERROR, None)
    assert "post_start" in state.message
