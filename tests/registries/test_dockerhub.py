"""Docker Hub: absence, limits and rights told apart; old tags go."""

from __future__ import annotations

from datetime import timedelta

import pytest

from conductor.adapters.registries.dockerhub import DockerHubRegistry
from conductor.domain.scan import ScanState
from conductor.errors import RefusedError, UnreachableError
from tests.registries.conftest import Waits
from tests.registries.fake_distribution import Misfortune, busy
from tests.registries.fake_dockerhub import ORGANISATION, TOKEN, FakeDockerHub

KEY = "0123456789abcdef" * 2


async def test_a_repository_that_is_not_there_yet_has_no_image_though_the_registry_refuses_it(
    hub_registry: DockerHubRegistry,
):
    assert await hub_registry.find(hub_registry.reference("acme/shop", "backend", KEY)) is None


async def test_an_image_is_found_and_another_key_is_not(hub: FakeDockerHub, hub_registry: DockerHubRegistry):
    digest = hub.store.put(f"{ORGANISATION}/acme_shop_backend", KEY)
    assert await hub_registry.find(hub_registry.reference("acme/shop", "backend", KEY)) == digest
    assert await hub_registry.find(hub_registry.reference("acme/shop", "backend", "0" * 32)) is None


async def test_a_token_that_is_not_taken_is_a_refusal_and_not_shown(
    hub: FakeDockerHub, hub_registry: DockerHubRegistry
):
    hub.store.put(f"{ORGANISATION}/acme_shop_backend", KEY)
    hub.store.accounts[ORGANISATION].password = "another"
    with pytest.raises(RefusedError) as refused:
        await hub_registry.find(hub_registry.reference("acme/shop", "backend", KEY))
    assert TOKEN not in f"{refused.value}{refused.value.remedy}"


async def test_the_limit_of_pulls_is_no_absence(
    hub: FakeDockerHub, hub_registry: DockerHubRegistry, waits: Waits
):
    hub.store.put(f"{ORGANISATION}/acme_shop_backend", KEY)
    limited = busy(429, Retry_After="20000", RateLimit_Limit="100;w=21600", RateLimit_Remaining="0;w=21600")
    hub.store.misfortunes.append(Misfortune("/v2/w3evolutionsllc/", limited))
    with pytest.raises(UnreachableError, match="0 of 100 pulls left in 6 h"):
        await hub_registry.find(hub_registry.reference("acme/shop", "backend", KEY))
    assert waits == []


async def test_the_limit_of_the_hub_itself_is_waited_for(
    hub: FakeDockerHub, hub_registry: DockerHubRegistry, waits: Waits
):
    hub.store.misfortunes.append(Misfortune("/v2/namespaces/", busy(429, Retry_After="3")))
    assert await hub_registry.prune("acme/shop", keep=1) == []
    assert waits == [3.0]


async def test_the_oldest_tags_go_over_all_pages_and_those_of_other_repositories_stay(
    hub: FakeDockerHub, hub_registry: DockerHubRegistry
):
    keys = [f"{number:032x}" for number in range(130)]
    for key in keys:
        hub.store.put(f"{ORGANISATION}/acme_shop_backend", key)
    others = [
        f"{ORGANISATION}/{name}" for name in ("acme_shop_layer-cache", "acme_shop_a_b", "acme_shop2_backend")
    ]
    for other in others:
        for key in keys[:3]:
            hub.store.put(other, key)
    hub.store.put(f"{ORGANISATION}/acme_shop_backend", "latest")
    removed = await hub_registry.prune("acme/shop", keep=2)
    assert len(removed) == 128
    assert sorted(hub.store.repositories[f"{ORGANISATION}/acme_shop_backend"].tags) == [*keys[-2:], "latest"]
    assert all(sorted(hub.store.repositories[other].tags) == keys[:3] for other in others)
    assert removed[-1] == f"{ORGANISATION}/acme_shop_backend:{keys[0]}"


async def test_what_a_stack_still_runs_on_stays_however_old_it_is(
    hub: FakeDockerHub, hub_registry: DockerHubRegistry
):
    keys = [f"{number:032x}" for number in range(4)]
    digests = [hub.store.put(f"{ORGANISATION}/acme_shop_backend", key) for key in keys]
    removed = await hub_registry.prune("acme/shop", keep=1, used=[digests[0]])
    assert sorted(removed) == [hub_registry.reference("acme/shop", "backend", key) for key in keys[1:3]]


async def test_one_login_serves_many_questions_and_one_that_is_over_is_made_anew(
    hub: FakeDockerHub, hub_registry: DockerHubRegistry
):
    hub.store.put(f"{ORGANISATION}/acme_shop_backend", KEY)
    for _ in range(3):
        await hub_registry.prune("acme/shop", keep=1)
    assert hub.logins == 1
    hub.tokens.clear()
    await hub_registry.prune("acme/shop", keep=1)
    assert hub.logins == 2


async def test_a_grant_is_the_account_of_the_settings_and_not_narrow(hub_registry: DockerHubRegistry):
    grant = await hub_registry.grant_push("acme/shop", build="b1", life=timedelta(hours=1))
    assert grant.credentials is not None
    assert (grant.narrow, grant.credentials.server) == (False, "https://index.docker.io/v1/")
    await hub_registry.revoke_push("b1")


async def test_nobody_scans_there(hub_registry: DockerHubRegistry):
    reference = hub_registry.reference("acme/shop", "backend", KEY)
    await hub_registry.request_scan(reference, "sha256:0")
    assert (await hub_registry.scan(reference, "sha256:0")).state is ScanState.NONE
