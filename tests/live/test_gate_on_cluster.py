"""An address of a service on a real cluster, made under the shipped rights: the gate, the way to it, and who reaches whom.

Needs the image of `deploy/image/` on the nodes, named by `CONDUCTOR_TEST_GATE_IMAGE`. No ingress controller is needed: its part is
played by a port-forward with the host's name, and by pods in a namespace that is named as its own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from aiohttp import ClientSession, DummyCookieJar

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.api.kinds import DEPLOYMENT, INGRESS, NAMESPACE, POD, Manifest
from conductor.adapters.kubernetes.engine import KubernetesEngine
from conductor.adapters.kubernetes.manifests.site import Addresses, Site
from conductor.adapters.kubernetes.streams.execution import Target, execute
from conductor.adapters.kubernetes.streams.port_forward import Forwards
from conductor.domain.lease import Lease
from conductor.domain.stack import Restart, Service, Stack
from conductor.domain.states import Phase
from conductor.ports.engine import Address, Place
from tests.kubernetes.clusters import IMAGE, KUBECONFIG, TOOLS
from tests.kubernetes.installed import Installed, installed

__all__ = ["installed"]
pytestmark = pytest.mark.cluster
GATE_IMAGE = os.environ.get("CONDUCTOR_TEST_GATE_IMAGE", "")
PATIENCE = 90.0
"""Seconds: no wait is longer."""
LOOK = 0.2
SERVES = "mkdir -p /tmp/w; echo it is me >/tmp/w/index.html; httpd -p 9090 -h /tmp/w; exec httpd -f -p 8080 -h /tmp/w"
WEB = Service(name="web", image=IMAGE, command=("sh", "-c", SERVES), restart=Restart.ALWAYS, expose=(8080,))
STACK = Stack(name="addressed", services=(WEB,))
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3).close()"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A stack with an address; two namespaces beside it, of which one is the ingress's. `admin` sees all."""

    engine: KubernetesEngine
    admin: Client
    place: Place
    address: Address
    ingress: str
    stranger: str

    async def pod(self, namespace: str, **labels: str) -> Manifest:
        """Return the pod with those labels, once it is ready."""
        wanted = {f"conductor.dev/{name}": value for name, value in labels.items()}
        async with asyncio.timeout(PATIENCE):
            while True:
                for pod in (await self.admin.list(POD, namespace, labels=wanted)).items:
                    conditions = (pod.get("status") or {}).get("conditions") or ()
                    if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions):
                        return pod
                await asyncio.sleep(LOOK)

    async def gate(self) -> Manifest:
        return await self.pod(self.place.namespace, kind="gate")

    async def web(self) -> Manifest:
        return await self.pod(self.place.namespace, workload="web")

    async def run(self, pod: Manifest, command: Sequence[str]) -> tuple[int, str]:
        """Run a command in the first container of a pod; return its exit code and all that it wrote."""
        metadata, container = pod["metadata"], pod["spec"]["containers"][0]["name"]
        target = Target(namespace=metadata["namespace"], pod=metadata["name"], container=container)
        answer = await execute(self.admin, target, command, timeout=timedelta(seconds=30))
        return answer.exit_code, (answer.stdout + answer.stderr).decode(errors="replace")

    async def reaches(self, sender: Manifest, receiver: Manifest, port: int) -> bool:
        """Tell whether a pod of busybox gets any answer by HTTP."""
        url = f"http://{receiver['status']['podIP']}:{port}/"
        _, said = await self.run(sender, ["sh", "-c", f"timeout 3 wget -O- {url} 2>&1; true"])
        return "it is me" in said or "HTTP/1" in said


@pytest.fixture
async def scene(installed: Installed) -> AsyncIterator[Scene]:
    if not GATE_IMAGE:
        pytest.skip("no image of Conductor on the nodes: name it in CONDUCTOR_TEST_GATE_IMAGE")
    name = f"gate-{uuid4().hex[:8]}"
    ingress, stranger = f"{name}-ingress", f"{name}-stranger"
    addresses = Addresses(
        domain="stacks.example.org", key=uuid4().hex, namespaces=(ingress,), image=GATE_IMAGE
    )
    site = Site(instance=installed.name, role=installed.role, tools_image=TOOLS, addresses=addresses)
    engine = KubernetesEngine(Connection(kubeconfig=installed.kubeconfig), site=site)
    connection = Connection(kubeconfig=KUBECONFIG)
    admin = await connection.client()
    place = Place(namespace=f"conductor-{name}", run=name)
    try:
        for beside in (ingress, stranger):
            await admin.create(_namespace(beside))
            await admin.create(_caller(beside))
        now = datetime.now(UTC)
        lease = Lease(
            repository="acme/shop",
            namespace=place.namespace,
            run=name,
            created_at=now,
            expires_at=now + timedelta(hours=1),
        )
        await engine.create_namespace(place, lease)
        await engine.apply(place, STACK, WEB)
        address = await engine.address_of(place, STACK, "web")
        yield Scene(
            engine=engine, admin=admin, place=place, address=address, ingress=ingress, stranger=stranger
        )
    finally:
        await engine.delete_namespace(place.namespace)
        for beside in (ingress, stranger):
            await admin.delete(NAMESPACE, beside)
        await engine.aclose()
        await connection.aclose()


def _namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _caller(namespace: str) -> Manifest:
    container = {
        "name": "caller",
        "image": IMAGE,
        "command": ["sleep", "600"],
        "imagePullPolicy": "IfNotPresent",
    }
    labels = {"conductor.dev/kind": "caller"}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    metadata = {"name": "caller", "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


async def test_an_address_leads_who_has_the_token_to_the_service_and_nobody_else_anywhere(
    scene: Scene,
) -> None:
    gate = await scene.gate()
    await scene.web()
    forwards = Forwards()

    async def find() -> Target:
        return Target(namespace=scene.place.namespace, pod=gate["metadata"]["name"], container="gate")

    here = await forwards.address(scene.admin, (scene.place.namespace, "gate", 8080), find)
    host = {"Host": scene.address.url.removeprefix("https://").rstrip("/")}
    try:
        async with asyncio.timeout(PATIENCE), ClientSession(cookie_jar=DummyCookieJar()) as visitor:
            async with visitor.get(f"http://{here}/", headers=host) as closed:
                assert closed.status == 401
            opening = scene.address.opening.replace(scene.address.url, f"http://{here}/")
            async with visitor.get(opening, headers=host, allow_redirects=False) as opened:
                assert (opened.status, opened.headers["Location"]) == (303, "/")
                cookie = {"Cookie": opened.headers["Set-Cookie"].partition(";")[0]}
            async with visitor.get(f"http://{here}/", headers=host | cookie) as answer:
                assert (answer.status, await answer.text()) == (200, "it is me\n")
            async with visitor.get(f"http://{here}/", headers=cookie) as elsewhere:
                assert elsewhere.status == 404
    finally:
        await forwards.aclose()


async def test_asking_again_changes_nothing_and_a_stack_is_what_it_was(scene: Scene) -> None:
    await scene.gate()
    before = await scene.admin.get(DEPLOYMENT, "conductor-gate", scene.place.namespace)
    assert await scene.engine.address_of(scene.place, STACK, "web", port=8080) == scene.address
    after = await scene.admin.get(DEPLOYMENT, "conductor-gate", scene.place.namespace)
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    ingresses = (await scene.admin.list(INGRESS, scene.place.namespace)).items
    assert [one["spec"]["rules"][0]["host"] for one in ingresses] == [
        scene.address.url.removeprefix("https://").rstrip("/")
    ]
    (listed,) = await scene.engine.namespaces()
    assert listed.addresses == (scene.address.url,)
    assert set(await scene.engine.states(scene.place)) == {"web"}
    async with asyncio.timeout(PATIENCE), aclosing(scene.engine.watch(scene.place)) as watch:
        async for states in watch:
            assert set(states) <= {"web"}
            if states["web"].phase is Phase.RUNNING:
                break


async def test_the_ingress_reaches_the_gate_alone_and_the_gate_the_declared_ports_alone(scene: Scene) -> None:
    gate, web = await scene.gate(), await scene.web()
    ingress = await scene.pod(scene.ingress, kind="caller")
    stranger = await scene.pod(scene.stranger, kind="caller")
    seen = {
        "ingress to gate": await scene.reaches(ingress, gate, 8080),
        "ingress to service": await scene.reaches(ingress, web, 8080),
        "stranger to gate": await scene.reaches(stranger, gate, 8080),
        "stranger to service": await scene.reaches(stranger, web, 8080),
        "service to gate": await scene.reaches(web, gate, 8080),
    }
    for what, (address, port) in {
        "gate to declared port": (web["status"]["podIP"], 8080),
        "gate to undeclared port": (web["status"]["podIP"], 9090),
        "gate to API server": ("10.96.0.1", 443),
        "gate to ingress": (ingress["status"]["podIP"], 8080),
    }.items():
        code, _ = await scene.run(gate, ["python3", "-c", CONNECT, address, str(port)])
        seen[what] = code == 0
    assert {what for what, reached in seen.items() if reached} == {"ingress to gate", "gate to declared port"}


async def test_the_gate_has_no_token_of_the_cluster_and_nowhere_to_write(scene: Scene) -> None:
    gate = await scene.gate()
    look = (
        "import os; print(os.getuid(), os.path.exists('/var/run/secrets/kubernetes.io')); open('/tmp/x', 'w')"
    )
    code, said = await scene.run(gate, ["python3", "-c", look])
    assert code != 0
    assert said.startswith("10001 False")
    assert "Read-only file system" in said
