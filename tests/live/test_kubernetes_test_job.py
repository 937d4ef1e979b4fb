"""Every ending of a test suite on a real cluster: exit code, JUnit, artifacts and log come out, or what is lost is said.

The engine has the shipped account; what befalls its pods is the administrator's doing.
`CONDUCTOR_TEST_KUBECONFIG` names the cluster. On its nodes are the busybox of `tests/engines.py` (or what `CONDUCTOR_TEST_IMAGE` names)
and the image of `deploy/tools` (`CONDUCTOR_TEST_TOOLS_IMAGE`): nothing is pulled.
"""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.api.kinds import NAMESPACE, POD, Manifest
from conductor.adapters.kubernetes.collect import newest_pod
from conductor.adapters.kubernetes.engine import KubernetesEngine
from conductor.adapters.kubernetes.manifests.test_job import FINALIZER
from conductor.adapters.kubernetes.seeing.sight import Sight
from conductor.adapters.kubernetes.streams.logs import read_log
from conductor.domain.lease import Lease
from conductor.domain.stack import Job, Resources, Service, Stack, TmpfsMount
from conductor.domain.states import Phase, WorkloadState
from conductor.domain.verdict import Fault, Reason
from conductor.ports.engine import PARTIAL_ENTRY, Place
from tests.kubernetes.clusters import IMAGE, KUBECONFIG, TOOLS
from tests.kubernetes.installed import Installed, installed

__all__ = ["installed"]
pytestmark = pytest.mark.cluster
PATIENCE = 90.0
"""Seconds: no wait is longer."""
JUNIT = "<testsuite tests='1'/>"
WRITES = f'mkdir -p reports coverage; echo "{JUNIT}" >reports/junit.xml; echo covered >coverage/index.html; echo said; '
STAYS = "touch ready; while :; do sleep 0.2; done"
NOTHING = Stack(name="nothing", services=(), networks=())


@dataclass(kw_only=True)
class Found:
    """What one suite left, and how it ended."""

    state: WorkloadState
    files: dict[str, bytes]
    log: list[str]

    @property
    def junit(self) -> str:
        return self.files.get("reports/junit.xml", b"").decode().strip()

    @property
    def partial(self) -> str:
        return self.files.get(PARTIAL_ENTRY, b"").decode()


@dataclass(kw_only=True)
class Bed:
    """A namespace with an engine of its own. `client` is the administrator's."""

    installed: Installed
    engine: KubernetesEngine
    connection: Connection
    client: Client
    place: Place
    sight: Sight
    others: list[KubernetesEngine] = field(default_factory=list)

    def job(self, script: str, **changes: object) -> Job:
        suite = Service(
            name="tests",
            image=IMAGE,
            entrypoint=("sh", "-c"),
            command=(script,),
            working_dir="/work",
            stop_grace_period=timedelta(seconds=2),
            resources=Resources(memory_bytes=64 * 2**20),
        )
        return Job(
            workload=replace(suite, **changes),
            time_limit=timedelta(minutes=5),
            reports=("reports/**/*.xml",),
            artifacts=("coverage/",),
        )

    async def start(self, job: Job) -> None:
        await self.engine.start_job(self.place, NOTHING, job)

    async def ended(self, engine: KubernetesEngine | None = None) -> WorkloadState:
        async with (
            asyncio.timeout(PATIENCE),
            aclosing((engine or self.engine).watch(self.place)) as watch,
        ):
            async for states in watch:
                if "tests" in states and states["tests"].phase is Phase.ENDED:
                    return states["tests"]
        raise AssertionError("a watch never ends by itself")

    async def finish(self, job: Job, engine: KubernetesEngine | None = None) -> Found:
        state = await self.ended(engine)
        async with asyncio.timeout(PATIENCE):
            archive = b"".join([chunk async for chunk in (engine or self.engine).collect(self.place, job)])
            source = read_log(
                self.client, self.sight, self.place.namespace, "tests", since=None, follow=False
            )
            log = [line.text async for line in source]
        with tarfile.open(fileobj=io.BytesIO(archive)) as found:
            files = {member.name: found.extractfile(member).read() for member in found if member.isfile()}
        return Found(state=state, files=files, log=log)

    async def run(self, job: Job) -> Found:
        await self.start(job)
        return await self.finish(job)

    async def pod(self, condition: Callable[[Manifest], object]) -> Manifest:
        """Wait for the suite's pod to be so."""
        async with asyncio.timeout(PATIENCE):
            while True:
                pod = await newest_pod(self.client, self.place.namespace, "tests")
                if pod is not None and condition(pod):
                    return pod
                await asyncio.sleep(0.2)  # a cluster is waited for

    async def writing(self) -> Manifest:
        """Wait until the suite has written its report and it is in the mirror."""
        pod = await self.pod(_runs)
        async with asyncio.timeout(PATIENCE):
            looks = ["sh", "-c", "test -e ready && test -e /.conductor/results/tree/reports/junit.xml"]
            while (await self.engine.exec(self.place, "tests", looks)).exit_code:  # noqa: ASYNC110 -- nobody tells
                await asyncio.sleep(0.2)
        return pod

    def another(self) -> KubernetesEngine:
        """Return an engine as a new process would have it."""
        self.others.append(self.installed.engine())
        return self.others[-1]


@pytest.fixture
async def bed(installed: Installed) -> AsyncIterator[Bed]:
    name = f"j{uuid4().hex[:10]}"
    connection = Connection(kubeconfig=KUBECONFIG)
    place = Place(namespace=f"j-conductor-{name}", run=name)
    made = Bed(
        installed=installed,
        engine=installed.engine(),
        connection=connection,
        client=await connection.client(),
        place=place,
        sight=Sight(connection, instance=installed.name),
    )
    now = datetime.now(UTC)
    lease = Lease(
        namespace=place.namespace,
        run=name,
        repository="acme/shop",
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    await made.engine.create_namespace(place, lease)
    try:
        yield made
    finally:
        await made.engine.delete_namespace(place.namespace)
        for engine in (made.engine, *made.others):
            await engine.aclose()
        await connection.aclose()


def _runs(pod: Manifest) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any("running" in status.get("state", {}) for status in statuses)


@pytest.mark.parametrize("code", [0, 3])
async def test_a_suite_that_passed_or_failed_leaves_everything(bed: Bed, code: int) -> None:
    job = bed.job(f"{WRITES} exit {code}")
    found = await bed.run(job)
    assert (found.state.exit_code, found.junit, found.log) == (code, JUNIT, ["said"])
    assert found.files["coverage/index.html"] == b"covered\n"
    assert not found.partial
    pod = await newest_pod(bed.client, bed.place.namespace, "tests")
    assert pod is not None
    assert FINALIZER not in pod["metadata"].get("finalizers", ())


async def test_a_suite_that_is_stopped_at_its_time_limit_leaves_what_it_wrote_until_then(bed: Bed) -> None:
    job = bed.job(f"trap '' TERM; {WRITES} {STAYS}")
    await bed.start(job)
    await bed.writing()
    await bed.engine.stop(bed.place, "tests", grace=timedelta(seconds=1))
    found = await bed.finish(job)
    assert (found.state.phase, found.state.exit_code) == (Phase.ENDED, 137)
    assert (found.junit, found.log[0], found.partial) == (JUNIT, "said", "")


async def test_a_time_limit_holds_while_nobody_watches(bed: Bed) -> None:
    job = bed.job(f"{WRITES} {STAYS}")
    await bed.start(job)
    pod = await bed.writing()
    await bed.client.patch(
        POD, pod["metadata"]["name"], {"spec": {"activeDeadlineSeconds": 1}}, bed.place.namespace
    )
    found = await bed.finish(job)
    assert found.state.reason is Reason.DEADLINE_EXCEEDED
    assert (found.junit, found.partial) == (JUNIT, "")


async def test_a_suite_without_memory_leaves_what_it_wrote_until_then(bed: Bed) -> None:
    job = bed.job(f"{WRITES} sleep 2; tail /dev/zero")
    found = await bed.run(job)
    assert (found.state.reason, found.state.exit_code) == (Reason.OOM_KILLED, 137)
    assert found.junit == JUNIT


async def test_an_evicted_suite_is_the_platforms_fault_and_its_files_are_there(bed: Bed) -> None:
    job = bed.job(f"{WRITES} {STAYS}")
    await bed.start(job)
    pod = await bed.writing()
    name = pod["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    path = POD.path(bed.place.namespace, name, "eviction")
    await bed.client.ask("POST", path, doing="evicting the tests", body=eviction)
    found = await bed.finish(job)
    assert (found.state.reason, found.state.fault) == (Reason.EVICTED, Fault.PLATFORM)
    assert (found.junit, found.partial) == (JUNIT, "")


async def test_the_files_of_a_deleted_suite_are_there_and_its_record_stays_until_they_were_taken(
    bed: Bed,
) -> None:
    job = bed.job(f"{WRITES} {STAYS}")
    await bed.start(job)
    pod = await bed.writing()
    await bed.client.delete(POD, pod["metadata"]["name"], bed.place.namespace)
    found = await bed.finish(job)
    assert found.state.phase is Phase.ENDED
    assert found.state.exit_code != 0
    assert (found.junit, found.partial) == (JUNIT, "")


async def test_small_files_of_a_deleted_suite_outlive_its_containers_for_who_comes_late(bed: Bed) -> None:
    job = bed.job(f"{WRITES} {STAYS}")
    await bed.start(job)
    pod = await bed.writing()
    await bed.engine.aclose()
    await bed.client.delete(POD, pod["metadata"]["name"], bed.place.namespace)
    await bed.pod(lambda found: found["status"]["phase"] in ("Failed", "Succeeded"))
    found = await bed.finish(job, bed.another())
    assert (found.junit, found.partial) == (JUNIT, "")


async def test_an_orchestrator_that_was_away_finds_everything(bed: Bed) -> None:
    job = bed.job(f"{WRITES} exit 4")
    await bed.start(job)
    await bed.engine.aclose()
    await bed.pod(lambda found: found["status"]["phase"] == "Failed")
    found = await bed.finish(job, bed.another())
    assert (found.state.exit_code, found.junit, found.log, found.partial) == (4, JUNIT, ["said"], "")


async def test_collecting_may_be_repeated(bed: Bed) -> None:
    job = bed.job(f"{WRITES} exit 0")
    first = await bed.run(job)
    assert (await bed.finish(job, bed.another())).files == first.files


async def test_an_image_without_a_shell_works(bed: Bed) -> None:
    out = TmpfsMount(target="/out")
    job = bed.job(
        "",
        image=TOOLS,
        entrypoint=("/bin/busybox",),
        command=("touch", "/out/junit.xml"),
        mounts=(out,),
        working_dir="/",
    )
    found = await bed.run(replace(job, reports=("/out/*.xml",)))
    assert (found.state.exit_code, sorted(found.files)) == (0, ["out/junit.xml"])


async def test_a_program_that_is_not_there_is_said_in_the_log(bed: Bed) -> None:
    found = await bed.run(bed.job("", entrypoint=("no-such-program",), command=()))
    assert (found.state.exit_code, found.log) == (127, ["conductor: no-such-program: command not found"])
    assert found.files == {}


async def test_what_is_too_large_for_a_log_is_fetched(bed: Bed) -> None:
    job = bed.job(f"{WRITES} head -c 30000000 /dev/urandom >coverage/big; sha256sum coverage/big; exit 1")
    found = await bed.run(job)
    assert (found.junit, len(found.files["coverage/big"]), found.partial) == (JUNIT, 30_000_000, "")


async def test_under_restricted_pod_security_it_is_the_same(bed: Bed) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    await bed.client.patch(NAMESPACE, bed.place.namespace, {"metadata": {"labels": labels}})
    job = bed.job(
        f"cd /tmp; {WRITES} exit 5",
        user="1000:1000", cap_drop=("ALL",), security_opt=("no-new-privileges",), working_dir="/tmp",
    )  # fmt: skip
    await bed.start(job)
    pod = await bed.pod(lambda _: True)
    assert pod["spec"]["containers"][0]["securityContext"]["runAsUser"] == 1000
    found = await bed.finish(job)
    assert (found.state.exit_code, found.junit, found.partial) == (5, JUNIT, "")


async def test_suites_run_side_by_side(bed: Bed) -> None:
    jobs = [bed.job(f"{WRITES} exit {code}", name=f"tests-{code}") for code in (0, 1, 2)]
    await asyncio.gather(*(bed.start(job) for job in jobs))

    async def collected(job: Job) -> bytes:
        async with asyncio.timeout(PATIENCE), aclosing(bed.engine.watch(bed.place)) as watch:
            async for states in watch:
                if (state := states.get(job.workload.name)) and state.phase is Phase.ENDED:
                    break
        return b"".join([chunk async for chunk in bed.engine.collect(bed.place, job)])

    for archive in await asyncio.gather(*(collected(job) for job in jobs)):
        assert JUNIT.encode() in archive
