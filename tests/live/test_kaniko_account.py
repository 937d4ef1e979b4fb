"""Builds on a real cluster under the account that `deploy/` ships: its roles are enough, and its policy lets it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.kaniko.builder import KanikoBuilder
from conductor.adapters.kubernetes.kaniko.site import KanikoSite, Reach
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.building.context import key_of
from conductor.domain.stack import Build
from conductor.ports.builder import BuildOrder
from tests.kubernetes.installed import Installed, installed
from tests.kubernetes.peers import kaniko_image, peer, unique
from tests.live.kaniko_builds import Wide, registry_of

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
__all__ = ["installed"]


async def test_the_shipped_account_builds_from_a_folder(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox:1.36\nRUN echo made > /made\n")
    registry, connection = registry_of("wide"), Connection(kubeconfig=installed.kubeconfig)
    builder = _builder(installed, connection, registry)
    try:
        order = await _order(builder, tmp_path)
        lines: list[str] = []

        async def on_line(line: str) -> None:
            lines.append(line)

        async with asyncio.timeout(240):
            made = await builder.build(order, on_line=on_line)
        found = await builder.find(order)
        assert found is not None
        assert found.digest == made.digest
        assert "RUN echo made > /made" in lines
    finally:
        registry.clean("conductor/account")
        await registry.aclose()
        await connection.aclose()


def _builder(installed: Installed, connection: Connection, registry: Wide) -> KanikoBuilder:
    mirror = peer("CONDUCTOR_TEST_TOKEN_REGISTRY").host
    hosts = (registry.peer.host, mirror)
    addresses = sorted({host.partition(":")[0] for host in hosts})
    kaniko = KanikoSite(
        image=kaniko_image(),
        mirrors=(mirror,),
        insecure=hosts,
        reaches=tuple(Reach(network=f"{address}/32") for address in addresses),
    )
    site = Site(instance=installed.name, role=installed.role)
    return KanikoBuilder(connection, registry, site=site, kaniko=kaniko)


async def _order(builder: KanikoBuilder, checkout: Path) -> BuildOrder:
    build = Build()
    return BuildOrder(
        run=unique("run"),
        repository="conductor/account",
        name="app",
        build=build,
        checkout=str(checkout),
        key=key_of(checkout, build),
    )
