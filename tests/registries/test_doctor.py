"""What doctor says of a registry: a line for each thing tried, and what to do about the first that fails."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from conductor.adapters.registries.dockerhub import DockerHubRegistry
from conductor.adapters.registries.harbor import HarborRegistry
from conductor.adapters.registries.plain import PlainRegistry
from conductor.ports.engine import Diagnosis
from conductor.ports.registry import Credentials
from tests.registries.conftest import Waits, harbor_config, plain_config
from tests.registries.fake_distribution import Account, FakeDistribution
from tests.registries.fake_dockerhub import FakeDockerHub
from tests.registries.fake_harbor import FakeHarbor
from tests.registries.serving import serving

PUSHER = Credentials(server="registry", username="pusher", password="push it")
PULLER = Credentials(server="registry", username="puller", password="pull it")


def subjects(lines: Sequence[Diagnosis], *, ok: bool) -> list[str]:
    return [line.subject for line in lines if line.ok is ok]


async def test_a_plain_registry_that_takes_everything_is_well_and_left_as_it_was(
    store: FakeDistribution, plain: PlainRegistry
):
    lines = await plain.diagnose()
    assert subjects(lines, ok=True) == ["registry", "registry: push", "registry: pull", "registry: delete"]
    assert not any(repository.tags for repository in store.repositories.values())


async def test_a_registry_that_deletes_nothing_is_well_and_tells_what_stays(
    store: FakeDistribution, plain: PlainRegistry
):
    store.deletes = False
    last = (await plain.diagnose())[-1]
    assert (last.subject, last.ok) == ("registry: delete", True)
    assert "stays" in last.detail
    assert "REGISTRY_STORAGE_DELETE_ENABLED" in last.remedy


async def test_a_wrong_password_is_the_only_line(store: FakeDistribution, waits: Waits):
    store.scheme = "basic"
    store.accounts["pusher"] = Account("another")
    async with serving(store.app()) as url:
        registry = PlainRegistry(plain_config(url, push=PUSHER), sleep=waits)
        (line,) = await registry.diagnose()
        await registry.aclose()
    assert not line.ok
    assert "CONDUCTOR_REGISTRY_PASSWORD" in line.remedy
    assert "push it" not in f"{line}"


async def test_pulling_is_tried_as_the_account_for_pulling_which_must_not_push(
    store: FakeDistribution, waits: Waits
):
    store.scheme = "bearer"
    store.accounts = {
        "pusher": Account("push it"),
        "puller": Account("pull it", lambda path, action: action == "pull"),
    }
    async with serving(store.app()) as url:
        registry = PlainRegistry(plain_config(url, push=PUSHER, pull=PULLER), sleep=waits)
        assert subjects(await registry.diagnose(), ok=False) == []
        store.accounts["puller"].may = lambda path, action: True
        await registry.aclose()
        registry = PlainRegistry(plain_config(url, push=PUSHER, pull=PULLER), sleep=waits)
        (ill,) = [line for line in await registry.diagnose() if not line.ok]
        await registry.aclose()
    assert "may push too" in ill.detail
    assert "CONDUCTOR_REGISTRY_PULL_USER" in ill.remedy


async def test_private_images_without_an_account_for_pulling_are_said_before_a_pod_waits(
    store: FakeDistribution, waits: Waits
):
    store.scheme = "bearer"
    store.accounts["pusher"] = Account("push it")
    async with serving(store.app()) as url:
        registry = PlainRegistry(plain_config(url, push=PUSHER), sleep=waits)
        (ill,) = [line for line in await registry.diagnose() if not line.ok]
        await registry.aclose()
    assert ill.subject == "registry: pull"
    assert "CONDUCTOR_REGISTRY_PULL_USER" in ill.remedy


async def test_harbor_is_tried_with_its_project_a_robot_and_its_scanner(
    harbor: FakeHarbor, harbor_url: str, waits: Waits
):
    harbor.store.accounts["puller"] = Account("pull it", lambda path, action: action == "pull")
    config = dataclasses.replace(harbor_config(harbor_url), pull=PULLER)
    registry = HarborRegistry(config, sleep=waits)
    lines = await registry.diagnose()
    assert subjects(lines, ok=False) == []
    assert subjects(lines, ok=True)[-2:] == ["registry: robots", "registry: scanner"]
    assert not harbor.robots
    harbor.scanner = False
    (ill,) = [line for line in await registry.diagnose() if not line.ok]
    assert (ill.subject, "trivy" in ill.remedy) == ("registry: scanner", True)
    await registry.aclose()


async def test_a_harbor_without_the_project_and_the_right_to_make_it_says_which(
    harbor: FakeHarbor, harbor_registry: HarborRegistry
):
    harbor.may_make_projects = False
    (line,) = await harbor_registry.diagnose()
    assert not line.ok
    assert "Make a project conductor" in line.remedy


async def test_docker_hub_tells_how_many_pulls_are_left_and_the_test_image_goes_by_its_own_api(
    hub: FakeDockerHub, hub_registry: DockerHubRegistry
):
    hub.store.anybody = lambda path, action: action == "pull"
    lines = {line.subject: line for line in await hub_registry.diagnose()}
    assert all(line.ok for line in lines.values())
    assert "76 of 100 pulls left in 6 h" in lines["registry: push"].detail
    assert not hub.store.repositories["w3evolutionsllc/conductor_doctor"].tags
