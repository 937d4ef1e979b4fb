"""What a suite left is collected by the best way that is open, what is lost is said, and the pod is let go last of all."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from conductor.adapters.kubernetes import collect as collecting
from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.collect import Collection
from conductor.adapters.kubernetes.manifests.test_job import COLLECTOR, FINALIZER
from conductor.domain.names import LABEL_WORKLOAD
from conductor.domain.stack import Job, Service
from conductor.ports.engine import PARTIAL_ENTRY, Place

PLACE = Place(namespace="shop", run="shop")
JOB = Job(
    workload=Service(name="tests", image="x"), time_limit=timedelta(minutes=1), reports=("reports/**/*.xml",)
)
PATIENCE = 20


def packed(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def told(archive: bytes, *records: str) -> bytes:
    body = base64.b64encode(archive).decode()
    end = f"END {len(archive)} {hashlib.sha256(archive).hexdigest()}"
    return "\n".join([*records, "BEGIN", body, end, ""]).encode()


WHOLE = packed(junit=b"<x/>")


@dataclass
class Cluster:
    """An API server that has one pod: what its log answers, and what was changed."""

    logs: list[bytes | int] = field(default_factory=list)
    message: str = ""
    started: bool = True
    ended: bool = True
    there: bool = True
    job: bool = True
    finalizers: list[str] = field(default_factory=lambda: ["other.example/keep", FINALIZER])
    opened: int = 0

    @property
    def pod(self) -> dict[str, Any]:
        state = {"terminated": {"exitCode": 0, "message": self.message}} if self.ended else {"running": {}}
        return {
            "kind": "Pod",
            "metadata": {
                "name": "tests-1", "namespace": "shop", "uid": "u", "resourceVersion": "7", "finalizers": self.finalizers,
            },
            "spec": {"containers": [{"name": "tests"}]},
            "status": {
                "phase": "Failed" if self.ended else "Running",
                "initContainerStatuses": [
                    {"name": COLLECTOR, "state": state if self.started else {"waiting": {"reason": "ImagePullBackOff"}}}
                ],
            },
        }  # fmt: skip

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if path.endswith("/log"):
            self.opened += 1
            found = self.logs[min(self.opened, len(self.logs)) - 1] if self.logs else b""
            return (
                httpx2.Response(200, content=found)
                if isinstance(found, bytes)
                else httpx2.Response(found, json={"message": "dial tcp: refused"})
            )
        if request.method == "PATCH":
            self.finalizers = json.loads(request.content)["metadata"]["finalizers"]
            return httpx2.Response(200, json=self.pod)
        if path.endswith("/pods"):
            return httpx2.Response(200, json={"items": [self.pod] if self.there else [], "metadata": {}})
        if "/jobs/" in path and self.job:
            return httpx2.Response(200, json={"kind": "Job", "metadata": {"name": "tests"}})
        if "/pods/" in path and self.there:
            return httpx2.Response(200, json=self.pod)
        return httpx2.Response(404, json={"message": "not found"})

    async def client(self) -> Client:
        http = httpx2.AsyncClient(
            transport=httpx2.MockTransport(self.answer), base_url="https://cluster.example"
        )
        return Client(http, sleep=lambda _: asyncio.sleep(0))


async def collected(
    cluster: Cluster, *, job: Job = JOB, before: Callable[[Collection], None] = lambda _: None
) -> dict[str, str]:
    collection = Collection(cluster)  # type: ignore[arg-type]  # it asks for no more than `client`
    before(collection)
    try:
        async with asyncio.timeout(PATIENCE):
            archive = b"".join([chunk async for chunk in collection.collect(PLACE, job)])
    finally:
        await collection.aclose()
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        return {member.name: found.extractfile(member).read().decode() for member in found}


async def test_an_archive_comes_out_of_the_log_and_only_our_finalizer_comes_off():
    cluster = Cluster(logs=[told(WHOLE)])
    assert await collected(cluster) == {"junit": "<x/>"}
    assert cluster.finalizers == ["other.example/keep"]


async def test_what_the_collector_says_is_missing_is_said():
    cluster = Cluster(logs=[told(WHOLE, "LEFT big: 9 bytes would be over the limit of 8")])
    found = await collected(cluster)
    assert found[PARTIAL_ENTRY] == "big: 9 bytes would be over the limit of 8\n"


async def test_what_is_held_and_cannot_be_fetched_is_said_and_the_part_in_the_log_is_there():
    cluster = Cluster(logs=[told(WHOLE, f"HELD 100 {'0' * 64}", "REST big: 100 bytes did not fit the log")])
    assert await collected(cluster) == {
        "junit": "<x/>",
        PARTIAL_ENTRY: "big: 100 bytes did not fit the log\n",
    }


async def test_a_log_that_broke_off_is_read_again():
    cluster = Cluster(logs=[told(WHOLE)[:40], told(WHOLE)])
    assert await collected(cluster) == {"junit": "<x/>"}


async def test_a_log_whose_hash_is_wrong_is_read_again_and_then_the_message_is_taken():
    damaged = told(WHOLE).replace(b"END ", b"END 1")
    cluster = Cluster(logs=[damaged], message=told(packed(small=b"1")).decode())
    assert await collected(cluster) == {"small": "1"}
    assert cluster.opened == collecting.TRIES


async def test_the_message_stands_in_where_the_node_does_not_answer():
    cluster = Cluster(logs=[500], message=told(WHOLE, "REST of the artifacts nothing came through").decode())
    found = await collected(cluster)
    assert found == {"junit": "<x/>", PARTIAL_ENTRY: "of the artifacts nothing came through\n"}


async def test_what_is_lost_with_its_node_is_said():
    found = await collected(Cluster(logs=[500]))
    assert "reports and artifacts are lost" in found[PARTIAL_ENTRY]
    assert "refused" in found[PARTIAL_ENTRY]


async def test_a_pod_that_is_gone_is_said():
    found = await collected(Cluster(there=False))
    assert "gone from the cluster" in found[PARTIAL_ENTRY]


async def test_a_job_that_never_was_left_nothing():
    assert await collected(Cluster(there=False, job=False)) == {}


@pytest.mark.parametrize("cluster", [Cluster(started=False, ended=False), Cluster(logs=[b"NONE\n"])])
async def test_a_suite_that_never_started_left_nothing_and_nothing_is_missing(cluster: Cluster):
    assert await collected(cluster) == {}


async def test_a_suite_without_reports_and_artifacts_is_let_go_at_once():
    cluster = Cluster()
    job = Job(workload=JOB.workload, time_limit=JOB.time_limit)
    assert await collected(cluster, job=job) == {}
    assert (cluster.opened, cluster.finalizers) == (0, ["other.example/keep"])


async def test_what_was_heard_while_the_tests_ran_outlives_their_pod():
    cluster = Cluster(logs=[told(WHOLE)])
    collection = Collection(cluster)  # type: ignore[arg-type]
    collection.follow("shop", "tests")
    collection.follow("shop", "tests")
    async with asyncio.timeout(PATIENCE):
        (listening,) = collection._followed.values()
        await asyncio.wait([listening])
        cluster.there = False
        chunks = [chunk async for chunk in collection.collect(PLACE, JOB)]
    await collection.aclose()
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as found:
        assert found.getnames() == ["junit"]
    assert cluster.opened == 1


async def test_a_listener_bears_the_loss_of_the_cluster():
    cluster = Cluster(logs=[503, told(WHOLE)])
    assert await collected(cluster, before=lambda collection: collection.follow("shop", "tests")) == {
        "junit": "<x/>"
    }


async def test_the_pod_is_kept_until_the_last_byte_was_taken():
    cluster = Cluster(logs=[told(packed(big=bytes(500_000)))])
    collection = Collection(cluster)  # type: ignore[arg-type]
    async with aclosing(collection.collect(PLACE, JOB)) as chunks:
        await anext(chunks)
    assert FINALIZER in cluster.finalizers
    assert await collected(cluster) == {"big": "\0" * 500_000}
    assert FINALIZER not in cluster.finalizers


async def test_a_process_that_comes_later_listens_to_what_another_started_and_nobody_has_collected():
    cluster = Cluster(logs=[told(WHOLE)])
    pod = cluster.pod
    pod["metadata"]["labels"] = {LABEL_WORKLOAD: "tests"}
    collection = Collection(cluster)  # type: ignore[arg-type]
    collection.see([pod])
    assert list(collection._followed) == [("shop", "tests")]
    async with asyncio.timeout(PATIENCE):
        assert [chunk async for chunk in collection.collect(PLACE, JOB)]
    pod["metadata"]["finalizers"] = cluster.finalizers
    collection.see([pod])
    assert not collection._followed
    await collection.aclose()
