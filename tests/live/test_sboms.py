"""SBOMs by the tool itself, Syft, over images that registries have: by a container of this machine's engine, by a Job of a real cluster.

Nothing is pulled but by the tool: `CONDUCTOR_TEST_SYFT_IMAGE` names its image, on the engine and on the cluster's nodes.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from conductor.adapters.docker.connection.client import Connection
from conductor.adapters.docker.sboms import SyftContainers, Way
from conductor.adapters.kubernetes.api.connection import Connection as ClusterConnection
from conductor.adapters.kubernetes.kaniko.sboms import SyftJobs
from conductor.adapters.kubernetes.kaniko.site import KanikoSite
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.adapters.registries.attesting import RegistryAttester
from conductor.adapters.registries.signing import read_signer
from conductor.domain.stack import Build
from conductor.errors import RunError
from conductor.ports.attestation import SbomGenerator
from conductor.ports.registry import Credentials
from tests.engines import busybox, engine_state  # noqa: F401 -- fixtures
from tests.kubernetes.clusters import KUBECONFIG
from tests.kubernetes.peers import RegistryPeer, peer
from tests.live.kaniko_builds import MakeWorkshop, make_workshop  # noqa: F401 -- a fixture
from tests.live.test_docker_publishing import Shop
from tests.live.test_kubernetes_manifests import Server
from tests.registries.conftest import plain_config
from tests.registries.debian import PASSWORD, USER, debian_registry, with_password
from tests.registries.test_attesting import make_key

SYFT = os.environ.get("CONDUCTOR_TEST_SYFT_IMAGE", "")
NODE = "library/node"
PATIENCE_SECONDS = 60.0

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def syft() -> str:
    """The image of the tool; skips where it is unset."""
    if not SYFT:
        pytest.skip("no image of Syft to test with: name it in CONDUCTOR_TEST_SYFT_IMAGE")
    return SYFT


def components(document: bytes) -> dict[str, str]:
    """Return what an SBOM names: components that have a package address, with their versions."""
    told: dict[str, Any] = json.loads(document)
    assert told["bomFormat"] == "CycloneDX"
    return {one["name"]: one.get("version", "") for one in told["components"] if one.get("purl")}


@pytest.mark.engine
async def test_what_was_built_on_this_machine_gets_an_sbom_and_a_signature(
    tmp_path: Path,
    syft: str,
    engine_state: Path,  # noqa: F811
    busybox: str,  # noqa: F811
):
    connection = Connection(state_folder=engine_state)
    async with debian_registry(tmp_path, auth=with_password(tmp_path)) as url:
        shop = Shop(connection, url, tmp_path / "checkout")
        (tmp_path / "checkout/package.json").write_text('{"name": "till", "version": "3.1.4"}')
        build = Build(
            dockerfile_inline=f"FROM {busybox}\nCOPY package.json /usr/lib/node_modules/till/package.json\n"
        )
        order = await shop.order(busybox)
        order = type(order)(**{name: getattr(order, name) for name in order.__slots__} | {"build": build})
        built = await shop.builder.build(order, on_line=shop.keep)
        login = Credentials(server=url.partition("://")[2], username=USER, password=PASSWORD)
        tool = SyftContainers(connection, tool=syft, instance="tests", way=Way(plain=True))
        key = read_signer(make_key(tmp_path / "sign.pem"))
        attester = RegistryAttester(plain_config(url, push=login), generator=tool, signer=key)

        made = await attester.attest(built.published)
        began = time.monotonic()
        again = await attester.attest(built.published)
        print(f"\nfound attested: {time.monotonic() - began:.2f} s")  # noqa: T201 -- a figure

        assert made == again
        assert made.components
        assert made.signature
        name, _, digest = built.published.partition("@")
        document = await tool.sbom(f"{name.rpartition(':')[0]}@{digest}", credentials=login)
        assert components(document)["till"] == "3.1.4"
        docker = await connection.client()
        left = await docker.containers.list(all=True)
        assert not [one for one in left if any("tests-sbom" in name for name in one["Names"])]
        await attester.aclose()
        await shop.forget(order)
        await shop.registry.aclose()
    await connection.aclose()


@pytest.mark.engine
async def test_an_image_that_the_registry_does_not_give_out_is_told_with_the_tools_own_words(
    tmp_path: Path,
    syft: str,
    engine_state: Path,  # noqa: F811
):
    connection = Connection(state_folder=engine_state)
    async with debian_registry(tmp_path, auth=with_password(tmp_path)) as url:
        tool = SyftContainers(connection, tool=syft, instance="tests", way=Way(plain=True))
        with pytest.raises(RunError, match=r"(?i)unauthorized"):
            await tool.sbom(f"{url.partition('://')[2]}/acme/till@sha256:{'0' * 64}", credentials=None)
    await connection.aclose()


class Cluster:
    """A generator on a real cluster, and a registry that its nodes and this machine reach."""

    def __init__(self, folder: Path, tool: str) -> None:
        if not KUBECONFIG:
            pytest.skip("no cluster to test with: name its kubeconfig in CONDUCTOR_TEST_KUBECONFIG")
        self.registry = RegistryPeer(peer("CONDUCTOR_TEST_REGISTRY"))
        account = self.registry.peer
        self.login = Credentials(server=account.host, username=account.user, password=account.password)
        instance = secrets.token_hex(4)
        self.namespace = f"sbom-test-builds-{instance}"
        self.connection = ClusterConnection(KUBECONFIG)
        kaniko = KanikoSite(namespace=self.namespace, insecure=(account.host,))
        self.site = Site(instance=instance)
        self.generator: SbomGenerator = SyftJobs(self.connection, site=self.site, kaniko=kaniko, tool=tool)
        self.server = Server(Path(KUBECONFIG), folder)

    def node(self) -> str:
        """Name the image of Node.js in the registry by its digest."""
        return f"{self.registry.host}/{NODE}@{self.registry.digest(NODE, '22-alpine')}"

    def left(self) -> list[str]:
        """Return the Jobs and Secrets that are there, once those are gone that are going."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            found = [
                f"{kind}/{one['metadata']['name']}"
                for root, kind in (("/apis/batch/v1", "jobs"), ("/api/v1", "secrets"), ("/api/v1", "pods"))
                for one in self._listed(f"{root}/namespaces/{self.namespace}/{kind}")
            ]
            if not found:
                return []
            time.sleep(0.2)
        return found

    def _listed(self, path: str) -> list[Any]:
        status, told = self.server.ask("GET", path)
        assert status == HTTPStatus.OK, told
        return list(told["items"])

    async def aclose(self) -> None:
        self.server.ask("DELETE", f"/api/v1/namespaces/{self.namespace}")
        self.server.close()
        self.registry.close()
        await self.connection.aclose()


@pytest.fixture
async def cluster(tmp_path: Path, syft: str) -> AsyncIterator[Cluster]:
    made = Cluster(tmp_path, syft)
    yield made
    await made.aclose()


@pytest.mark.cluster
async def test_a_job_makes_the_sbom_of_an_image_and_leaves_nothing(cluster: Cluster):
    began = time.monotonic()
    document = await cluster.generator.sbom(cluster.node(), credentials=cluster.login)
    print(f"\nSBOM of {len(document)} bytes by a Job: {time.monotonic() - began:.1f} s")  # noqa: T201 -- a figure
    assert "libc6" in components(document)
    assert cluster.left() == []


@pytest.mark.cluster
async def test_without_an_account_the_job_says_what_the_registry_said(cluster: Cluster):
    with pytest.raises(RunError, match=r"(?i)unauthorized|authentication required"):
        await cluster.generator.sbom(cluster.node(), credentials=None)
    assert cluster.left() == []


@pytest.mark.cluster
async def test_what_kaniko_built_is_attested_in_its_registry(
    cluster: Cluster,
    make_workshop: MakeWorkshop,  # noqa: F811
    tmp_path: Path,
):
    workshop = await make_workshop("wide")
    workshop.write("Dockerfile", "FROM busybox:1.36\nRUN echo sold > /till\n")
    built = await workshop.builder.build(await workshop.order(Build()), on_line=workshop.on_line)
    config = plain_config(cluster.registry.peer.url, push=cluster.login)
    key = read_signer(make_key(tmp_path / "sign.pem"))
    attester = RegistryAttester(config, generator=cluster.generator, signer=key)

    made = await attester.attest(built.published)

    assert (made.sbom != "", made.signature != "") == (True, True)
    path = built.published.partition(":5001/")[2].partition(":")[0]
    tag = built.digest.replace(":", "-")
    assert cluster.registry.digest(path, f"{tag}.sig") == made.signature
    assert tag in cluster.registry.tags(path), "Debian's registry knows no referrers: their index has a tag"
    await attester.aclose()
