"""What a pod of a run reaches on a real cluster, asked from inside: its own services, not another run's, and outside what the site allows.

`CONDUCTOR_TEST_KUBECONFIG` names the cluster, whose network enforces NetworkPolicies. On its nodes is the node image of
`scripts/standins.py`, and that of `deploy/tools`: nothing is pulled.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.api.kinds import NAMESPACE, POD
from conductor.adapters.kubernetes.engine import KubernetesEngine
from conductor.adapters.kubernetes.manifests.site import Egress
from conductor.domain.lease import Lease
from conductor.domain.names import LABEL_WORKLOAD
from conductor.domain.stack import Network, Service, Stack
from conductor.domain.states import Phase
from conductor.ports.engine import Place
from tests.kubernetes.clusters import KUBECONFIG
from tests.kubernetes.installed import Installed, installed

__all__ = ["installed"]
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
NODE = "docker.io/library/node:22-alpine"
PORT = 7000
"""Declared nowhere."""
LISTENS = (
    "node",
    "-e",
    f"require('net').createServer((s) => s.on('error', () => 0).end('hello')).listen({PORT})",
)
PATIENCE = 90.0
OPEN, SILENCE, NO_SUCH_NAME = "open", "silence", "ENOTFOUND"
TRIES = """
const [host, port] = process.argv.slice(1)
const tell = (text) => { console.log(text); process.exit() }
const socket = require('net').connect(port, host)
socket.setTimeout(4000, () => tell('silence'))
socket.on('connect', () => tell('open'))
socket.on('error', (error) => tell(error.code))
"""


@dataclass(frozen=True)
class Run:
    """A namespace as a run has it, with two services."""

    engine: KubernetesEngine
    client: Client
    place: Place

    async def tries(self, host: str, port: int = PORT) -> str:
        """Try to reach a port from inside of `web`."""
        told = await self.engine.exec(
            self.place, "web", ["node", "-e", TRIES, host, str(port)], timeout=timedelta(seconds=60)
        )
        return told.stdout.decode().strip()

    async def address(self, workload: str) -> str:
        """Return the address of a workload's pod."""
        pods = await self.client.list(POD, self.place.namespace, labels={LABEL_WORKLOAD: workload})
        return str(pods.items[0]["status"]["podIP"])


@asynccontextmanager
async def a_run(installed: Installed, client: Client, egress: Egress = "allow") -> AsyncIterator[Run]:
    """Raise two services as the shipped account, and remove all at the end."""
    name = f"m{uuid4().hex[:10]}"
    engine = installed.engine(egress=egress)
    place = Place(namespace=f"m-isolation-{name}", run=name)
    services = tuple(
        Service(name=each, image=NODE, command=LISTENS, networks={"default": ()}) for each in ("web", "other")
    )
    stack = Stack(name="isolation", services=services, networks=(Network(name="default"),))
    now = datetime.now(UTC)
    lease = Lease(
        namespace=place.namespace,
        run=name,
        repository="acme/shop",
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    try:
        await engine.create_namespace(place, lease)
        for service in services:
            await engine.apply(place, stack, service)
        await until_all_run(engine, place)
        yield Run(engine, client, place)
    finally:
        await engine.delete_namespace(place.namespace)
        await engine.aclose()


async def until_all_run(engine: KubernetesEngine, place: Place) -> None:
    async with asyncio.timeout(PATIENCE), aclosing(engine.watch(place)) as watch:
        async for states in watch:
            if len(states) == 2 and all(state.phase is Phase.RUNNING for state in states.values()):
                return


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    if not KUBECONFIG:
        pytest.skip("no cluster to test with: name its kubeconfig in CONDUCTOR_TEST_KUBECONFIG")
    connection = Connection(kubeconfig=KUBECONFIG)
    yield await connection.client()
    await connection.aclose()


@pytest.fixture
async def outside(client: Client) -> AsyncIterator[str]:
    """The address of a pod that anybody may reach, in a namespace that is none of Conductor's."""
    name = f"m-outside-{uuid4().hex[:8]}"
    await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    container = {"name": "open", "image": NODE, "imagePullPolicy": "IfNotPresent", "command": list(LISTENS)}
    spec = {
        "containers": [container],
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "open", "namespace": name},
        "spec": spec,
    }
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": name},
    }
    try:
        await client.create(account)
        await client.create(pod)
        yield await _address(client, name)
    finally:
        await client.delete(NAMESPACE, name)


async def _address(client: Client, namespace: str) -> str:
    async with asyncio.timeout(PATIENCE):
        while True:
            pod = await client.get(POD, "open", namespace)
            if pod["status"].get("phase") == "Running" and pod["status"].get("podIP"):
                return str(pod["status"]["podIP"])
            await asyncio.sleep(0.3)  # a cluster is waited for


async def api_server(client: Client) -> tuple[str, int]:
    """Return where the API server listens: an address that is no pod's."""
    found = await client.ask("GET", "/api/v1/namespaces/default/endpoints/kubernetes", doing="looking")
    subset = found["subsets"][0]
    return subset["addresses"][0]["ip"], subset["ports"][0]["port"]


async def test_another_runs_services_are_out_of_reach_by_name_and_by_address_and_the_own_ones_are_not(
    installed: Installed, client: Client
) -> None:
    async with AsyncExitStack() as stack:
        mine = await stack.enter_async_context(a_run(installed, client))
        theirs = await stack.enter_async_context(a_run(installed, client))
        found = {
            "own name": await mine.tries("other"),
            "own address": await mine.tries(await mine.address("other")),
            "their name": await mine.tries(f"web.{theirs.place.namespace}.svc.cluster.local"),
            "their address": await mine.tries(await theirs.address("web")),
        }
        assert found == {
            "own name": OPEN,
            "own address": OPEN,
            "their name": SILENCE,
            "their address": SILENCE,
        }


@pytest.mark.parametrize(
    ("egress", "reached"),
    [
        ("allow", {"outside": OPEN, "another pod": OPEN}),
        ("cluster", {"outside": SILENCE, "another pod": OPEN}),
        ("deny", {"outside": SILENCE, "another pod": SILENCE}),
        (None, {"outside": OPEN, "another pod": SILENCE}),
    ],
)
async def test_what_is_reached_outside_is_what_the_site_allows(
    installed: Installed, client: Client, outside: str, egress: Egress | None, reached: Mapping[str, str]
) -> None:
    server, port = await api_server(client)
    setting: Egress = egress or (f"{server}/32",)
    async with a_run(installed, client, setting) as run:
        found = {"outside": await run.tries(server, port), "another pod": await run.tries(outside)}
        assert found == reached
        assert await run.tries("other") == OPEN
        assert await run.tries("no-such-service") == NO_SUCH_NAME


async def test_no_pod_has_a_token_of_the_cluster(installed: Installed, client: Client) -> None:
    async with a_run(installed, client) as run:
        told = await run.engine.exec(run.place, "web", ["test", "-e", "/var/run/secrets/kubernetes.io"])
        pods = (await client.list(POD, run.place.namespace)).items
    assert told.exit_code == 1
    assert "serviceAccountToken" not in json.dumps([pod["spec"].get("volumes", []) for pod in pods])
    assert len(pods) == 2
