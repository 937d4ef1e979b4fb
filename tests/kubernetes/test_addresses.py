"""Addresses of services, on the fake API server and on a real one: asked for, asked for again, refused, and gone with their stack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.api.kinds import DEPLOYMENT, INGRESS, NETWORK_POLICY, SERVICE, Kind
from conductor.adapters.kubernetes.engine import KubernetesEngine
from conductor.adapters.kubernetes.manifests.site import Addresses, Site
from conductor.domain.lease import Lease
from conductor.domain.stack import Service, Stack
from conductor.errors import NotFoundError, RefusedError
from conductor.ports.engine import Place
from tests.kubernetes.clusters import Cluster

ADDRESSES = Addresses(domain="stacks.example.org", key="k" * 32, namespaces=("ingress",))
STACK = Stack(
    name="s",
    services=(
        Service(name="web", image="none.example/x:1", expose=(80, 81)),
        Service(name="db", image="none.example/x:1"),
    ),
)


class Bed:
    """An engine, and a namespace that it made; what is there is asked of the server."""

    def __init__(self, engine: KubernetesEngine, run: str) -> None:
        self.engine = engine
        self.place = Place(namespace=f"conductor-{run}", run=run)

    async def there(self, kind: Kind) -> list[Any]:
        client = await self.engine._connection.client()
        return list((await client.list(kind, self.place.namespace)).items)


@asynccontextmanager
async def bed(cluster: Cluster, addresses: Addresses | None = ADDRESSES) -> AsyncIterator[Bed]:
    run = f"addressed-{uuid4().hex[:6]}"
    site = Site(instance=run, tools_image=cluster.tools, addresses=addresses)
    made = Bed(KubernetesEngine(Connection(kubeconfig=cluster.kubeconfig), site=site), run)
    now = datetime.now(UTC)
    lease = Lease(
        namespace=made.place.namespace,
        run=run,
        repository="acme/shop",
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    try:
        await made.engine.create_namespace(made.place, lease)
        yield made
    finally:
        await made.engine.delete_namespace(made.place.namespace)
        await made.engine.aclose()


async def test_an_address_is_the_same_each_time_and_nothing_is_made_twice(cluster: Cluster):
    async with bed(cluster) as it:
        first = await it.engine.address_of(it.place, STACK, "web")
        assert first.url == f"https://web-{it.place.run}.stacks.example.org/"
        assert first.opening == f"{first.url}?token={first.token}"
        assert first.token not in repr(first)
        made = [await it.there(kind) for kind in (DEPLOYMENT, SERVICE, INGRESS)]
        assert [len(things) for things in made] == [1, 1, 1]
        assert {one["metadata"]["name"] for one in await it.there(NETWORK_POLICY)} >= {
            "conductor-gate",
            "conductor-gate-services",
        }
        assert await it.engine.address_of(it.place, STACK, "web", port=80) == first
        again = await it.there(DEPLOYMENT)
        assert again[0]["metadata"]["generation"] == made[0][0]["metadata"]["generation"]
        second = await it.engine.address_of(it.place, STACK, "web", port=81)
        assert second.token == first.token
        assert len(await it.there(INGRESS)) == 2
        assert len(await it.there(DEPLOYMENT)) == 1
        (listed,) = await it.engine.namespaces()
        assert listed.addresses == tuple(sorted((first.url, second.url)))
        assert await it.engine.states(it.place) == {}


async def test_the_lease_and_the_addresses_are_marks_that_leave_each_other_alone(cluster: Cluster):
    async with bed(cluster) as it:
        (before,) = await it.engine.namespaces()
        assert before.lease
        await it.engine.address_of(it.place, STACK, "web")
        longer = replace(before.lease, expires_at=None)
        await it.engine.mark(longer)
        (after,) = await it.engine.namespaces()
        assert (after.lease, len(after.addresses)) == (longer, 1)


async def test_nothing_is_made_where_an_address_is_refused(cluster: Cluster):
    hidden = replace(
        STACK, services=(*STACK.services, Service(name="conductor-gate", image="x", expose=(1,)))
    )
    async with bed(cluster) as it:
        with pytest.raises(NotFoundError, match="no address for db"):
            await it.engine.address_of(it.place, STACK, "db")
        with pytest.raises(RefusedError, match="called as the gate"):
            await it.engine.address_of(it.place, hidden, "web")
        assert await it.there(DEPLOYMENT) == await it.there(INGRESS) == []


@pytest.mark.parametrize(
    ("addresses", "remedy"),
    [
        (None, "CONDUCTOR_INGRESS_DOMAIN"),
        (Addresses(domain="stacks.example.org"), "CONDUCTOR_GATE_KEY"),
    ],
    ids=["no domain", "no key"],
)
async def test_without_domain_or_key_it_is_said_what_to_set(
    cluster: Cluster, addresses: Addresses | None, remedy: str
):
    async with bed(cluster, addresses) as it:
        with pytest.raises(RefusedError) as refused:
            await it.engine.address_of(it.place, STACK, "web")
        assert remedy in refused.value.remedy
        assert await it.there(DEPLOYMENT) == []


async def test_a_cluster_without_gateways_says_so(cluster: Cluster):
    async with bed(cluster, replace(ADDRESSES, gateway="infra/public")) as it:
        with pytest.raises(RefusedError, match="HTTPRoute"):
            await it.engine.address_of(it.place, STACK, "web")
        assert await it.there(DEPLOYMENT) == []
