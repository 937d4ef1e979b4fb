"""Registries to test with, each on a port of its own, and the waits that were asked for instead of waited."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conductor.adapters.registries.dockerhub import DockerHubRegistry
from conductor.adapters.registries.harbor import HarborRegistry
from conductor.adapters.registries.plain import PlainRegistry
from conductor.adapters.registries.registry_config import HUB_SERVER, RegistryConfig
from conductor.ports.registry import Credentials
from conductor.settings import RegistryType
from tests.registries.fake_distribution import FakeDistribution
from tests.registries.fake_dockerhub import ORGANISATION, TOKEN, FakeDockerHub
from tests.registries.fake_harbor import ADMIN, API, PASSWORD, FakeHarbor
from tests.registries.serving import serving


class Waits(list[float]):
    """Notes how long it was to wait."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def store() -> FakeDistribution:
    return FakeDistribution()


@pytest.fixture
async def plain(store: FakeDistribution, waits: Waits) -> AsyncIterator[PlainRegistry]:
    async with serving(store.app()) as url:
        registry = PlainRegistry(plain_config(url), sleep=waits)
        yield registry
        await registry.aclose()


@pytest.fixture
def harbor() -> FakeHarbor:
    return FakeHarbor()


@pytest.fixture
async def harbor_url(harbor: FakeHarbor) -> AsyncIterator[str]:
    async with serving(harbor.app()) as url:
        yield url


@pytest.fixture
async def harbor_registry(harbor_url: str, waits: Waits) -> AsyncIterator[HarborRegistry]:
    registry = HarborRegistry(harbor_config(harbor_url), sleep=waits)
    yield registry
    await registry.aclose()


@pytest.fixture
def hub() -> FakeDockerHub:
    return FakeDockerHub()


@pytest.fixture
async def hub_registry(hub: FakeDockerHub, waits: Waits) -> AsyncIterator[DockerHubRegistry]:
    async with serving(hub.app()) as url:
        registry = DockerHubRegistry(hub_config(url), sleep=waits)
        yield registry
        await registry.aclose()


def plain_config(
    url: str, *, push: Credentials | None = None, pull: Credentials | None = None, ca_file: Path | None = None
) -> RegistryConfig:
    host = url.partition("://")[2]
    return RegistryConfig(
        type=RegistryType.PLAIN, host=host, api=url, management="", server=host, project="", push=push, pull=pull, ca_file=ca_file
    )  # fmt: skip


def harbor_config(url: str, *, per_repository: bool = False, scans: bool = True) -> RegistryConfig:
    host = url.partition("://")[2]
    return RegistryConfig(
        type=RegistryType.HARBOR, host=host, api=url, management=url + API, server=host, project="conductor",
        per_repository=per_repository, scans=scans, push=Credentials(server=host, username=ADMIN, password=PASSWORD),
    )  # fmt: skip


def hub_config(url: str) -> RegistryConfig:
    push = Credentials(server=HUB_SERVER, username=ORGANISATION, password=TOKEN)
    return RegistryConfig(
        type=RegistryType.DOCKERHUB, host="", api=url, management=url, server=HUB_SERVER, project=ORGANISATION, flat=True, push=push
    )  # fmt: skip
