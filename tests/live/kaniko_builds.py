"""Builds by Kaniko on a real cluster: a place of their own, orders, and registries that grant widely or narrowly.

Variables: `tests/kubernetes/peers.py`, and `CONDUCTOR_TEST_KUBECONFIG`.
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.kaniko.builder import KanikoBuilder
from conductor.adapters.kubernetes.kaniko.site import GitAccess, KanikoSite, Reach
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.building.context import key_of
from conductor.domain.names import LABEL_RUN, slug
from conductor.domain.report import BuiltImage
from conductor.domain.stack import Build
from conductor.ports.builder import BuildOrder, Remote
from conductor.ports.registry import Credentials, PushGrant
from tests.kubernetes.clusters import KUBECONFIG
from tests.kubernetes.peers import RegistryPeer, Robots, kaniko_image, peer, unique
from tests.live.shop import EXAMPLES
from tests.live.test_kubernetes_manifests import Server

HOSTILE = Path(__file__).parent / "kaniko" / "hostile"
PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.2


class Wide:
    """A registry whose one account may push everywhere: what a password is to a plain registry or to Docker Hub."""

    narrow = False

    def __init__(self, peer: RegistryPeer, *, password: str | None = None) -> None:
        self.peer = peer
        account = peer.peer
        self._account = Credentials(
            server=peer.host,
            username=account.user,
            password=account.password if password is None else password,
        )

    def path(self, repository: str) -> str:
        return f"{repository}/images"

    def reference(self, repository: str, image: str, key: str) -> str:
        return f"{self.peer.host}/{self.path(repository)}/{slug(image)}:{key[:32]}"

    def cache(self, repository: str) -> str:
        return f"{self.peer.host}/{self.path(repository)}/cache"

    def link(self, reference: str, digest: str) -> str:
        del reference, digest
        return ""

    async def find(self, reference: str) -> str | None:
        repository, _, tag = reference.removeprefix(f"{self.peer.host}/").rpartition(":")
        return self.peer.digest(repository, tag)

    async def grant_push(self, repository: str, *, build: str, life: timedelta) -> PushGrant:
        del repository, build, life
        return PushGrant(credentials=self._account, narrow=False)

    async def revoke_push(self, build: str, *, repository: str) -> None:
        del build, repository

    async def pull_credentials(self) -> Credentials | None:
        return self._account

    def left(self, repository: str) -> Sequence[str]:
        """Return the accounts that were made for builds of a repository, by whatever process, and are still there."""
        del repository
        return []

    def clean(self, repository: str) -> None:
        """Remove the images of a repository, and accounts that are left."""
        for name in ("app", "backend", "frontend", "dev", "cache"):
            self.peer.empty(f"{self.path(repository)}/{name}")

    async def aclose(self) -> None:
        """Let go of the connections."""
        self.peer.close()


class Narrow(Wide):
    """A registry that makes an account for each build, which may push to that repository's path and cache and nowhere else."""

    narrow = True

    def __init__(self, peer: RegistryPeer, robots: Robots) -> None:
        super().__init__(peer)
        self._robots = robots

    async def grant_push(self, repository: str, *, build: str, life: timedelta) -> PushGrant:
        del life
        name, password = self._robots.make(build, {f"{self.path(repository)}/*": ["pull", "push"]})
        return PushGrant(
            credentials=Credentials(server=self.peer.host, username=name, password=password), narrow=True
        )

    async def revoke_push(self, build: str, *, repository: str) -> None:
        del repository
        self._robots.remove(build)

    def left(self, repository: str) -> Sequence[str]:
        return self._robots.of(self.path(repository))

    def clean(self, repository: str) -> None:
        super().clean(repository)
        for name in self.left(repository):
            self._robots.remove(name.removeprefix("robot$"))

    async def aclose(self) -> None:
        self._robots.close()
        await super().aclose()


@dataclass
class Workshop:
    """A builder, its registry, a checkout, and what the build said."""

    builder: KanikoBuilder
    registry: Wide
    server: Server
    instance: str
    namespace: str
    """For pods that try the images; builds have their own."""
    checkout: Path
    repository: str
    lines: list[str] = field(default_factory=list)

    @property
    def builds(self) -> str:
        """The build namespace."""
        return f"conductor-test-builds-{self.instance}"

    def write(self, name: str, text: str) -> None:
        path = self.checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    async def order(self, build: Build, *, name: str = "app", remote: Remote | None = None) -> BuildOrder:
        return BuildOrder(
            run=f"run-{secrets.token_hex(4)}",
            repository=self.repository,
            name=name,
            build=build,
            checkout=str(self.checkout),
            key=key_of(self.checkout, build),
            remote=remote,
            labels={LABEL_RUN: "a-run"},
        )

    async def on_line(self, line: str) -> None:
        self.lines.append(line)

    def in_registry(self, order: BuildOrder) -> str | None:
        """Return the digest under the name of an order, as the registry says it."""
        reference = self.registry.reference(order.repository, order.name, order.key)
        repository, _, tag = reference.removeprefix(f"{self.registry.peer.host}/").rpartition(":")
        return self.registry.peer.digest(repository, tag)

    def pinned(self, made: BuiltImage) -> str:
        """Name an image as a stack's manifests do: by digest."""
        path = made.reference.partition("@")[0].removeprefix(f"{self.registry.peer.host}/").partition(":")[0]
        return f"{self.registry.peer.host}/{path}@{made.digest}"

    def jobs(self) -> Sequence[Mapping[str, Any]]:
        """Return the build namespace's Jobs."""
        status, told = self.server.ask("GET", f"/apis/batch/v1/namespaces/{self.builds}/jobs")
        assert status == HTTPStatus.OK, told
        return list(told["items"])

    def secrets_of_nobody(self) -> Sequence[str]:
        """Return the names of the build namespace's Secrets that would outlive their Job."""
        status, told = self.server.ask("GET", f"/api/v1/namespaces/{self.builds}/secrets")
        assert status == HTTPStatus.OK, told
        found = (item["metadata"] for item in told["items"])
        return [
            one["name"]
            for one in found
            if not any(o["kind"] == "Job" for o in one.get("ownerReferences", ()))
        ]

    def accounts(self) -> Sequence[str]:
        """Return the accounts that the registry has made for builds and still has."""
        return self.registry.left(self.repository)

    def clean(self) -> None:
        """Remove the namespaces, the images, and what is left of accounts."""
        for namespace in (self.namespace, self.builds):
            self.server.ask("DELETE", f"/api/v1/namespaces/{namespace}")
        self.registry.clean(self.repository)

    def run_pod(self, image: str, command: Sequence[str], account: Credentials | None) -> str:
        """Run an image as the node pulls it, and return what it printed."""
        name = f"try-{secrets.token_hex(4)}"
        pods = f"/api/v1/namespaces/{self.namespace}/pods"
        if account:
            self._make_pull_secret(name, account)
        container = {
            "name": "it",
            "image": image,
            "command": list(command),
            "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}},
        }
        spec = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "imagePullSecrets": [{"name": name}],
            "containers": [container],
        }
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        status, told = self.server.ask("POST", pods, pod)
        assert status == HTTPStatus.CREATED, told
        self._until_ended(f"{pods}/{name}")
        return "".join(self.server.lines(f"{pods}/{name}/log"))

    def _make_pull_secret(self, name: str, account: Credentials) -> None:
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": name},
            "data": {".dockerconfigjson": b64encode(json.dumps(account.docker_config()).encode()).decode()},
        }
        status, told = self.server.ask("POST", f"/api/v1/namespaces/{self.namespace}/secrets", secret)
        assert status == HTTPStatus.CREATED, told

    def _until_ended(self, path: str) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            told = self.server.ask("GET", path)[1]["status"]
            if told.get("phase") == "Succeeded":
                return
            assert told.get("phase") != "Failed", told
            time.sleep(LOOK_SECONDS)
        raise AssertionError(f"the pod did not end within {PATIENCE_SECONDS} s: {told}")


def copy_shop(folder: Path) -> Path:
    """Copy examples/shop."""
    shutil.copytree(EXAMPLES / "shop", folder, dirs_exist_ok=True)
    return folder


SHOP: Mapping[str, tuple[Build, Sequence[str], str]] = {
    "backend": (
        Build(context="backend", dockerfile="backend/Dockerfile"),
        ["node", "-e", "console.log('backend has', require('fs').existsSync('/app/server.js'))"],
        "backend has true",
    ),
    "frontend": (
        Build(context="frontend", dockerfile="frontend/Dockerfile", args={"SHOP_NAME": "The Corner Shop"}),
        ["grep", "-c", "The Corner Shop", "/usr/share/nginx/html/index.html"],
        "2",
    ),
}
"""Service -> how it is built, what to run in its image, and what that prints."""


MakeWorkshop = Callable[[str], Awaitable[Workshop]]


def registry_of(kind: str) -> Wide:
    """Return the registry of a kind: `wide`, `narrow` or `wrong password`; skip the test where it is not there."""
    if kind == "narrow":
        return Narrow(
            RegistryPeer(peer("CONDUCTOR_TEST_TOKEN_REGISTRY")), Robots(peer("CONDUCTOR_TEST_TOKEN_SERVER"))
        )
    made = RegistryPeer(peer("CONDUCTOR_TEST_REGISTRY"))
    return Wide(made, password="wrong-password" if kind == "wrong password" else None)


@pytest.fixture
async def make_workshop(tmp_path: Path) -> AsyncIterator[MakeWorkshop]:
    """Make workshops, each with a build namespace of its own; what they made is removed."""
    if not KUBECONFIG:
        pytest.skip("no cluster to test with: name its kubeconfig in CONDUCTOR_TEST_KUBECONFIG")
    made: list[tuple[Workshop, Connection]] = []

    async def make(kind: str) -> Workshop:
        number = len(made)
        (checkout := tmp_path / f"checkout-{number}").mkdir()
        (files := tmp_path / f"server-{number}").mkdir()
        server, registry, connection = (
            Server(Path(KUBECONFIG), files),
            registry_of(kind),
            Connection(KUBECONFIG),
        )
        instance = secrets.token_hex(4)
        workshop = Workshop(
            builder=kaniko_builder(connection, registry, instance=instance),
            registry=registry,
            server=server,
            instance=instance,
            namespace=make_namespace(server),
            checkout=checkout,
            repository=unique("shop"),
        )
        made.append((workshop, connection))
        return workshop

    yield make
    for workshop, connection in made:
        workshop.clean()
        await workshop.registry.aclose()
        workshop.server.close()
        await connection.aclose()


def make_namespace(server: Server) -> str:
    """Make a namespace for pods that try the images."""
    name = f"conductor-test-images-{secrets.token_hex(4)}"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    status, told = server.ask("POST", "/api/v1/namespaces", namespace)
    assert status == HTTPStatus.CREATED, told
    return name


def kaniko_builder(connection: Connection, registry: Wide, *, instance: str) -> KanikoBuilder:
    """Return the builder of an instance. Base images come from the registry that anybody may pull them from."""
    mirror, git = peer("CONDUCTOR_TEST_TOKEN_REGISTRY"), peer("CONDUCTOR_TEST_GIT")
    hosts = {registry.peer.host, mirror.host}
    site = KanikoSite(
        namespace=f"conductor-test-builds-{instance}",
        image=kaniko_image(),
        mirrors=(mirror.host,),
        insecure=tuple(sorted(hosts)),
        git=GitAccess(host=git.host, username=git.user, token=git.password),
        reaches=tuple(
            Reach(network=f"{address}/32") for address in sorted({host.partition(":")[0] for host in hosts})
        ),
    )
    return KanikoBuilder(connection, registry, site=Site(instance=instance), kaniko=site)
