"""What we ask of Harbor and Docker Hub, and what our fakes answer, is what their own descriptions say.

What the descriptions have wrong goes by Prism, and tests of the fakes alone have it: the report of a scan (called a string there), a
body for the answer to a HEAD, 409 and 412 of Harbor, Docker Hub's tokens and the deletion of its tags.
"""

from __future__ import annotations

import dataclasses
from datetime import timedelta

from conductor.adapters.registries.dockerhub import HubApi
from conductor.adapters.registries.exchange import Exchange
from conductor.adapters.registries.harbor import HarborRegistry
from conductor.domain.scan import ScanState
from tests.registries.conftest import Waits, harbor_config, hub_config
from tests.registries.fake_dockerhub import ORGANISATION, FakeDockerHub
from tests.registries.fake_harbor import API, FakeHarbor
from tests.registries.prism import description, proxied
from tests.registries.serving import serving

KEYS = [f"{number:032x}" for number in range(3)]


async def test_harbor_is_asked_and_played_as_its_description_says(
    harbor: FakeHarbor, harbor_url: str, waits: Waits
):
    async with proxied(description("harbor-swagger.prefixed.yaml"), harbor_url) as (prism, said):
        config = dataclasses.replace(harbor_config(harbor_url), management=prism + API)
        registry = HarborRegistry(config, sleep=waits)
        await registry._api.create_project("conductor")
        await registry.grant_push("acme/shop", build="b1", life=timedelta(hours=1))
        await registry.revoke_push("b1")
        assert (len(harbor.projects), len(harbor.robots)) == (1, 0)
        for key in KEYS:
            harbor.store.put("conductor/acme_shop/backend", key)
        reference = registry.reference("acme/shop", "backend", KEYS[2])
        digest = await registry.find(reference) or ""
        assert (await registry.scan(reference, digest)).message == "not begun"
        await registry.request_scan(reference, digest)
        assert (await registry.scan(reference, digest)).state is ScanState.PENDING
        assert len(await registry.prune("acme/shop", keep=1)) == 2
        assert await registry.find(registry.reference("acme/shop", "backend", KEYS[0])) is None
        await registry.aclose()
    assert harbor.scans[digest].asked == 1
    assert [line for line in said if "Violation" in line or "✖" in line] == []


async def test_docker_hubs_tags_are_asked_and_played_as_its_description_says(waits: Waits):
    hub = FakeDockerHub(as_described=True)
    for key in KEYS:
        hub.store.put(f"{ORGANISATION}/acme_shop_backend", key)
    async with (
        serving(hub.app()) as url,
        proxied(description("dockerhub-openapi.json"), url) as (prism, said),
    ):
        exchange = Exchange(sleep=waits)
        asked = HubApi(exchange, prism, hub_config(url).push, login_url=url)
        assert not await asked.has_repository(f"{ORGANISATION}/nothing")
        assert {tag["name"] async for tag in asked.tags(f"{ORGANISATION}/acme_shop_backend")} == {*KEYS}
        await exchange.aclose()
    assert [line for line in said if "Violation" in line or "✖" in line] == []
