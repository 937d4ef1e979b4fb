"""What only the fake API server can show: bad days on request, quick starts, and other people's programs on it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from lightkube import AsyncClient
from lightkube.config.kubeconfig import KubeConfig
from lightkube.core.exceptions import ApiError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import ConfigMap, Namespace

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.connection import connect
from conductor.adapters.kubernetes.api.kinds import CONFIG_MAP, NAMESPACE, POD
from conductor.errors import ConflictError, UnreachableError
from tests.kubernetes.asking import Asking, asking, condition, config_map, holds, phase, state
from tests.kubernetes.fake_api import FakeApiServer


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeApiServer]:
    """A server whose containers are played: nothing runs."""
    async with FakeApiServer(tmp_path / "fake", pace=0.01) as server:
        yield server


@pytest.fixture
async def api(fake: FakeApiServer) -> AsyncIterator[Asking]:
    async with asking(str(fake.kubeconfig), "app:1") as found:
        yield found


@pytest.fixture
async def client(fake: FakeApiServer) -> AsyncIterator[Client]:
    """Conductor's own client, that does not wait between tries."""
    made = connect(str(fake.kubeconfig))
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    made._sleep = sleep
    made.waits = waits  # type: ignore[attr-defined]
    yield made
    await made.aclose()


async def test_a_busy_server_is_asked_again_after_the_time_that_it_says(fake: FakeApiServer, client: Client):
    fake.faults.busy(retry_after=7, verb="list", resource="namespaces", times=2)
    listing = await client.list(NAMESPACE)
    assert [n["metadata"]["name"] for n in listing.items] == ["default", "kube-system"]
    assert client.waits == [7.0, 7.0]  # type: ignore[attr-defined]


async def test_a_server_that_is_broken_for_a_moment_is_asked_again(fake: FakeApiServer, client: Client):
    fake.faults.broken(verb="get", resource="namespaces")
    assert (await client.get(NAMESPACE, "default"))["metadata"]["name"] == "default"
    assert fake.faults.asked[("get", "namespaces")] == 2


async def test_a_change_that_was_overtaken_is_a_conflict_once(
    fake: FakeApiServer, api: Asking, client: Client
):
    await api.create("configmaps", config_map("a"))
    fake.faults.conflict("configmaps", verb="patch")
    with pytest.raises(ConflictError):
        await client.patch(CONFIG_MAP, "a", {"data": {"x": "1"}}, api.namespace)
    found = await client.patch(CONFIG_MAP, "a", {"data": {"x": "1"}}, api.namespace)
    assert found["data"] == {"x": "1"}


async def test_an_expired_token_is_told_and_no_right_that_lacks(fake: FakeApiServer, client: Client):
    fake.faults.tokens_expired = True
    with pytest.raises(UnreachableError, match="does not know who is asking"):
        await client.list(NAMESPACE)


async def test_a_right_that_lacks_is_refused_and_told(fake: FakeApiServer, api: Asking):
    fake.faults.denied.add(("create", "secrets"))
    code, answer = await api.ask("POST", api.path("secrets"), {"metadata": {"name": "s"}})
    assert (code, answer["reason"]) == (403, "Forbidden")
    assert 'cannot create resource "secrets" in API group ""' in answer["message"]
    review = {"spec": {"resourceAttributes": {"verb": "create", "resource": "secrets"}}}
    _, answer = await api.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert answer["status"]["allowed"] is False


async def test_a_watch_is_cut_off(fake: FakeApiServer, api: Asking):
    watch = api.watch("configmaps")
    assert (await anext(watch))["type"] == "ADDED"
    assert fake.faults.drop_watches("configmaps") == 1
    with pytest.raises(httpx2.RemoteProtocolError):
        await anext(watch)


async def test_a_watch_is_told_that_its_version_is_too_old(fake: FakeApiServer, api: Asking):
    seen = []
    async for event in api.watch("configmaps"):
        seen.append(event["type"])
        fake.faults.expire_watches("configmaps")
    assert seen == ["ADDED", "ERROR"]
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


async def test_after_a_compaction_only_new_versions_are_known(fake: FakeApiServer, api: Asking):
    version = await api.version("configmaps")
    await api.create("configmaps", config_map("a"))
    _, first = await api.ask("GET", api.path("configmaps"), limit="1")
    await api.create("configmaps", config_map("b"))
    fake.store.compact()
    (event,) = [event async for event in api.watch("configmaps", resourceVersion=version)]
    assert event["object"]["code"] == 410
    code, answer = await api.ask("GET", api.path("configmaps"), **{"continue": first["metadata"]["continue"]})
    assert (code, answer["reason"]) == (410, "Expired")


async def test_a_watch_is_silent_until_it_speaks(fake: FakeApiServer, api: Asking):
    version = await api.version("configmaps")
    fake.faults.silence("configmaps")
    await api.create("configmaps", config_map("a"))
    seen = [e async for e in api.watch("configmaps", resourceVersion=version, timeoutSeconds="1")]
    assert seen == []
    fake.faults.speak("configmaps")
    async for event in api.watch("configmaps", resourceVersion=version):
        assert event["object"]["metadata"]["name"] == "a"
        break


async def test_a_slow_list_is_held_until_it_is_let_go(fake: FakeApiServer, api: Asking):
    release = fake.faults.hold("list", "configmaps")
    listing = asyncio.create_task(api.items("configmaps"))
    await api.create("configmaps", config_map("a"))
    assert not listing.done()
    release()
    assert "a" in {c["metadata"]["name"] for c in await listing}


async def test_a_watch_says_where_it_is_when_nothing_happens(tmp_path: Path):
    async with (
        FakeApiServer(tmp_path / "fake", bookmarks=0.05) as fake,
        asking(str(fake.kubeconfig), "app:1") as api,
    ):
        version = await api.version("pods")
        async for event in api.watch("pods", resourceVersion=version, allowWatchBookmarks="true"):
            assert event["type"] == "BOOKMARK"
            assert int(event["object"]["metadata"]["resourceVersion"]) >= int(version)
            break


async def test_a_node_without_room_takes_a_pod_away(fake: FakeApiServer, api: Asking):
    await api.create("pods", api.pod("p", "sleep infinity"))
    await api.pod_of("p", lambda pod: phase(pod) == "Running")
    fake.kubelet.evict(api.namespace, "p", "The node was low on resource: memory.")
    pod = await api.pod_of("p", lambda pod: phase(pod) == "Failed")
    assert (pod["status"]["reason"], pod["status"]["message"]) == (
        "Evicted",
        "The node was low on resource: memory.",
    )
    assert condition(pod, "DisruptionTarget")["reason"] == "TerminationByKubelet"


async def test_a_container_runs_out_of_memory(fake: FakeApiServer, api: Asking):
    await api.create("jobs", api.job("j", "sleep infinity"))
    pod = await api.pod_of("j", lambda pod: phase(pod) == "Running")
    fake.kubelet.out_of_memory(api.namespace, pod["metadata"]["name"], "main")
    pod = await api.pod_of("j", lambda pod: phase(pod) == "Failed")
    ended = state(pod)["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    await api.until("jobs", lambda job: holds(job, "Failed"))


async def test_a_job_tries_again_as_often_as_it_may(api: Asking):
    await api.create("jobs", api.job("j", "exit 1", backoffLimit=2))
    job = await api.until("jobs", lambda job: holds(job, "Failed"))
    assert job["status"]["failed"] == 3


async def test_lightkube_works_with_it(fake: FakeApiServer):
    config = KubeConfig.from_file(str(fake.kubeconfig)).get()
    client = AsyncClient(config=config, field_manager="one")
    try:
        await client.create(Namespace(metadata=ObjectMeta(name="shop")))
        wish = ConfigMap(metadata=ObjectMeta(name="a", namespace="shop"), data={"k": "v"})
        assert (await client.apply(wish)).data == {"k": "v"}
        wish.data = {"k": "w"}
        with pytest.raises(ApiError) as refused:
            await client.apply(wish, field_manager="two")
        assert refused.value.status.details.causes[0].field == ".data.k"
        await client.create(Job.from_dict(_hello()))
        done = await client.wait(
            Job, "hello", namespace="shop", for_conditions=["Complete"], raise_for_conditions=["Failed"]
        )
        assert done.status.succeeded == 1
    finally:
        await client.close()


def _hello() -> dict[str, Any]:
    container = {"name": "main", "image": "app:1", "command": ["sh", "-c", "echo hello"]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "hello", "namespace": "shop"},
        "spec": {"template": template},
    }


async def test_kubectl_works_with_it(fake: FakeApiServer, tmp_path: Path):
    kubectl = os.environ.get("CONDUCTOR_KUBECTL") or str(Path(sys.executable).with_name("kubectl"))

    async def run(*words: str) -> str:
        named = [kubectl, f"--kubeconfig={fake.kubeconfig}", f"--cache-dir={tmp_path}/cache", *words]
        process = await asyncio.create_subprocess_exec(
            *named, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(60):
            output, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return output.decode()

    manifest = tmp_path / "hello.json"
    manifest.write_text(json.dumps(_hello()))
    namespace = tmp_path / "namespace.json"
    namespace.write_text(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}))
    await run("create", "--validate=false", "-f", str(namespace))
    assert "serverside-applied" in await run(
        "apply", "--server-side", "--validate=false", "-f", str(manifest)
    )
    await run("wait", "--for=condition=complete", "job/hello", "-n", "shop", "--timeout=30s")
    assert await run("logs", "job/hello", "-n", "shop") == "hello\n"
    pods = json.loads(await run("get", "pods", "-n", "shop", "-o", "json"))
    assert [phase(pod) for pod in pods["items"]] == ["Succeeded"]
    await run("run", "web", "-n", "shop", "--image=app:1", "--command", "--", "sleep", "infinity")
    await run("wait", "--for=condition=ready", "pod/web", "-n", "shop", "--timeout=30s")
    assert await run("exec", "web", "-n", "shop", "--", "sh", "-c", "echo inside") == "inside\n"
    await run("delete", "namespace", "shop", "--timeout=30s")
    assert "shop" not in await run("get", "namespaces", "-o", "name")


async def test_a_hundred_pods_at_once_all_end(fake: FakeApiServer, client: Client, api: Asking):
    jobs = [api.job(f"j{number}", "exit 0") for number in range(100)]
    for some in range(0, len(jobs), 10):
        await asyncio.gather(*(api.create("jobs", job) for job in jobs[some : some + 10]))
    ended: list[str] = []
    async with asyncio.timeout(60):
        while len(ended) < len(jobs):
            await fake.store.changed(fake.store.version, 1.0)
            listing = await client.list(POD, api.namespace)
            ended = [pod["metadata"]["name"] for pod in listing.items if phase(pod) == "Succeeded"]
    assert len(set(ended)) == len(jobs)
