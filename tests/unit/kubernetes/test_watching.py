"""Watches: what is gone is noticed, nothing goes back, and a lost or silent watch goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta

import httpx2
import pytest

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.kinds import POD, Manifest
from conductor.adapters.kubernetes.seeing.watching import Cluster
from conductor.errors import UnreachableError

LABELS = {"app.kubernetes.io/managed-by": "conductor"}
TICK = timedelta(seconds=60)
"""Longer than any test: what is noticed is noticed by the watch."""


def pod(name: str, version: int, *, namespace: str = "shop") -> Manifest:
    return {"metadata": {"name": name, "namespace": namespace, "resourceVersion": str(version)}}


def event(kind: str, thing: Manifest) -> Manifest:
    return {"type": kind, "object": thing}


GONE = event(
    "ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
)
SILENT = httpx2.ReadTimeout("")
BROKEN = httpx2.ReadError("connection reset")


class ApiServer:
    """Lists and watches of one kind, as scripted: each list answers the next set of pods, each watch plays its events and stays open."""

    def __init__(
        self, *, lists: Sequence[Sequence[Manifest]], watches: Sequence[Sequence[Manifest | Exception]]
    ) -> None:
        self.lists = list(lists)
        self.watches = list(watches)
        self.versions: list[str] = []
        """Where each watch began."""
        self.listed = 0

    def client(self) -> Client:
        http = httpx2.AsyncClient(
            base_url="https://cluster.example", transport=httpx2.MockTransport(self._answer)
        )
        return Client(http, sleep=asyncio.sleep)

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.params.get("watch") == "true":
            self.versions.append(request.url.params["resourceVersion"])
            script = self.watches.pop(0) if self.watches else []
            return httpx2.Response(200, content=self._play(script))
        items = self.lists[min(self.listed, len(self.lists) - 1)]
        self.listed += 1
        return httpx2.Response(
            200, json={"metadata": {"resourceVersion": str(100 * self.listed)}, "items": list(items)}
        )

    async def _play(self, script: Sequence[Manifest | Exception]) -> AsyncIterator[bytes]:
        for step in script:
            if isinstance(step, Exception):
                raise step
            yield json.dumps(step).encode() + b"\n"
        if not script or script[-1] is not GONE:
            await asyncio.Event().wait()


async def seen(
    api: ApiServer, until: Callable[[set[str]], bool], *, act: Callable[[Cluster], None] | None = None
) -> set[str]:
    """Watch until the names of the pods are as wished."""
    cluster = Cluster({POD: (LABELS, None)})
    try:
        async with asyncio.timeout(10):
            await cluster.start(api.client())
            async with aclosing(cluster.changes("shop", tick=TICK)) as changes:
                async for _ in changes:
                    if act:
                        act(cluster)
                    names = {found["metadata"]["name"] for found in cluster.of(POD, "shop")}
                    if until(names):
                        return names
    finally:
        await cluster.aclose()
    raise AssertionError("changes never end")


async def test_what_is_listed_is_known_at_once():
    api = ApiServer(lists=[[pod("a", 1), pod("b", 2)]], watches=[])
    assert await seen(api, lambda names: len(names) == 2) == {"a", "b"}


async def test_a_watch_goes_on_from_the_lists_version():
    api = ApiServer(
        lists=[[pod("a", 1)]], watches=[[event("ADDED", pod("b", 101)), event("DELETED", pod("a", 102))]]
    )
    assert await seen(api, lambda names: names == {"b"})
    assert api.versions == ["100"]


async def test_a_watch_that_broke_goes_on_where_it_was():
    api = ApiServer(
        lists=[[]], watches=[[event("ADDED", pod("a", 101)), BROKEN], [event("ADDED", pod("b", 102))]]
    )
    assert await seen(api, lambda names: names == {"a", "b"})
    assert (api.versions, api.listed) == (["100", "101"], 1)


async def test_a_bookmark_moves_the_version_and_nothing_else():
    api = ApiServer(
        lists=[[pod("a", 1)]],
        watches=[
            [event("BOOKMARK", {"metadata": {"resourceVersion": "150"}}), BROKEN],
            [event("ADDED", pod("b", 151))],
        ],
    )
    assert await seen(api, lambda names: names == {"a", "b"})
    assert api.versions == ["100", "150"]


async def test_a_version_that_is_too_old_is_listed_anew_and_what_went_meanwhile_is_noticed():
    api = ApiServer(lists=[[pod("a", 1), pod("b", 2)], [pod("b", 2)]], watches=[[GONE], []])
    assert await seen(api, lambda names: names == {"b"})
    assert (api.listed, api.versions) == (2, ["100", "200"])


async def test_a_watch_that_is_silent_too_long_is_listed_anew():
    api = ApiServer(lists=[[pod("a", 1)], [pod("c", 150)]], watches=[[SILENT], []])
    assert await seen(api, lambda names: names == {"c"})


async def test_what_this_process_wrote_is_known_before_the_watch_says_so():
    api = ApiServer(lists=[[]], watches=[])
    assert await seen(
        api, lambda names: names == {"mine"}, act=lambda cluster: cluster.saw(POD, pod("mine", 101))
    )


async def test_an_older_object_never_replaces_a_newer_one():
    api = ApiServer(lists=[[pod("a", 105)]], watches=[])
    cluster = Cluster({POD: (LABELS, None)})
    await cluster.start(api.client())
    cluster.saw(POD, pod("a", 101))
    (known,) = cluster.of(POD, "shop")
    await cluster.aclose()
    assert known["metadata"]["resourceVersion"] == "105"


async def test_an_earlier_object_of_the_same_name_takes_nothing_away_with_it():
    made_anew = pod("a", 200)
    api = ApiServer(
        lists=[[pod("a", 1)]], watches=[[event("DELETED", pod("a", 150)), event("ADDED", pod("end", 201))]]
    )

    def write(cluster: Cluster) -> None:
        cluster.saw(POD, made_anew)

    assert await seen(api, lambda names: "end" in names, act=write) == {"a", "end"}


async def test_only_who_looks_at_a_namespace_is_told_of_it():
    api = ApiServer(lists=[[]], watches=[])
    cluster = Cluster({POD: (LABELS, None)})
    await cluster.start(api.client())
    async with aclosing(cluster.changes("shop", tick=TICK)) as changes:
        await anext(changes)
        coming = asyncio.ensure_future(anext(changes))
        cluster.saw(POD, pod("a", 101, namespace="elsewhere"))
        await asyncio.sleep(0)
        assert not coming.done()
        cluster.saw(POD, pod("a", 102))
        await asyncio.wait_for(coming, 5)
    await cluster.aclose()


async def test_one_watch_serves_everybody():
    api = ApiServer(lists=[[]], watches=[])
    cluster = Cluster({POD: (LABELS, None)})
    client = api.client()
    await asyncio.gather(*(cluster.start(client) for _ in range(20)))
    await asyncio.sleep(0)
    await cluster.aclose()
    assert api.listed == 1


async def test_a_first_list_that_fails_is_said_and_tried_again_by_the_next_who_looks():
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    http = httpx2.AsyncClient(base_url="https://x", transport=httpx2.MockTransport(refuse))
    cluster = Cluster({POD: (LABELS, None)})
    with pytest.raises(UnreachableError):
        await cluster.start(Client(http))
    await cluster.start(ApiServer(lists=[[pod("a", 1)]], watches=[]).client())
    assert len(cluster.of(POD, "shop")) == 1
    await cluster.aclose()
