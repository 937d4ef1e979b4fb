"""What a test suite leaves behind, out of its pod: whole where that is possible, and with what is lost in words.

The ways, best first: the collector's log, followed from the start; the same log, read again; what the collector holds because its log
has no room; the collector's termination message, which outlives the pod's containers. Law: the pod's record is given up (its finalizer
comes off) only after the caller took the last byte.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import tarfile
import tempfile
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import IO

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.api.kinds import JOB, POD, Manifest
from conductor.adapters.kubernetes.manifests.kube_names import kube_name
from conductor.adapters.kubernetes.manifests.test_job import COLLECTOR, FINALIZER, LIMIT_BYTES, TAKEN, WHOLE
from conductor.adapters.kubernetes.namespaces import release
from conductor.adapters.kubernetes.seeing.pod_status import Status, is_over, state_of
from conductor.adapters.kubernetes.streams.archives import read_file, repack
from conductor.adapters.kubernetes.streams.execution import Target, execute, pods_of
from conductor.adapters.kubernetes.streams.transcript import LineFeed, Seal, Transcript, transcript
from conductor.domain.names import LABEL_WORKLOAD
from conductor.domain.stack import Job
from conductor.errors import ConductorError, UnreachableError
from conductor.ports.engine import Place

PATIENCE = 200.0
"""Seconds: so long an ended suite's collector may take; it has what its pod's grace period gives."""
SILENCE = 60.0
"""Seconds after which a log that says nothing is opened anew: its connection may be dead."""
HEARING = 20.0
"""Seconds that an ended suite's listener gets to come to its end, before the log is read anew."""
LOOK = 0.5
LISTEN_AGAIN = 2.0
"""What a collector says stays in its log: nothing is lost by hearing it late."""
TRIES = 3
"""How often a log that is cut off, or a node that does not answer, is tried."""
CHUNK = 2**16
_LOST = "reports and artifacts are lost"


@dataclass(kw_only=True, slots=True)
class Harvest:
    """What came out of one pod: a gzipped archive, what is missing, and whether the collector still waits."""

    archive: IO[bytes]
    left: list[str] = field(default_factory=list)
    waiting: bool = False


class Collection:
    """Collects for one engine. `follow` listens while the tests run, so that less is lost when their pod goes."""

    def __init__(self, connection: Connection, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._connection = connection
        self._limit_bytes = limit_bytes
        self._followed: dict[tuple[str, str], asyncio.Task[Harvest | None]] = {}

    def follow(self, namespace: str, job: str) -> None:
        """Listen to the collector of a job (its name as an object). Following already: nothing happens."""
        if (namespace, job) not in self._followed:
            listening = asyncio.create_task(self._listen(namespace, job))
            self._followed[namespace, job] = listening

    def see(self, pods: Iterable[Manifest]) -> None:
        """Listen to the collectors among these pods that have not been heard: another process may have started them."""
        for pod in pods:
            metadata = pod["metadata"]
            label = (metadata.get("labels") or {}).get(LABEL_WORKLOAD)
            if label and FINALIZER in (metadata.get("finalizers") or ()) and _has_started(pod):
                self.follow(metadata["namespace"], label)

    def forget(self, namespace: str) -> None:
        """Let go of what was heard from a namespace that goes."""
        for key in [key for key in self._followed if key[0] == namespace]:
            _end(self._followed.pop(key))

    async def collect(self, place: Place, job: Job) -> AsyncGenerator[bytes, None]:
        """Yield the archive of an ended job, as `ports.engine` says."""
        client = await self._connection.client()
        name = kube_name(job.workload.name)
        pod = await newest_pod(client, place.namespace, name)
        found = await self._harvest(
            client, place.namespace, name, pod, wanted=bool(job.reports or job.artifacts)
        )
        try:
            with tempfile.TemporaryFile() as made:
                found.archive.seek(0)
                left, limit = found.left, self._limit_bytes
                await asyncio.to_thread(repack, found.archive, made, left=left, limit_bytes=limit)
                made.seek(0)
                while chunk := made.read(CHUNK):
                    yield chunk
            if pod is not None:
                await _give_up(client, pod, waiting=found.waiting)
            self._followed.pop((place.namespace, name), None)
        finally:
            if (place.namespace, name) not in self._followed:
                found.archive.close()

    async def aclose(self) -> None:
        """Stop listening."""
        tasks = list(self._followed.values())
        self._followed.clear()
        for task in tasks:
            _end(task)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _harvest(
        self, client: Client, namespace: str, name: str, pod: Manifest | None, *, wanted: bool
    ) -> Harvest:
        if not wanted:
            return nothing()
        heard = await self._heard(namespace, name)
        if heard is not None:
            return heard
        if pod is not None:
            return await gather(client, pod, patience=PATIENCE)
        known = await client.find(JOB, name, namespace) is not None
        return nothing(f"the tests' pod is gone from the cluster: {_LOST}") if known else nothing()

    async def _heard(self, namespace: str, name: str) -> Harvest | None:
        """Return what the listener heard; it may still be fetching. None where nobody listened or it heard nothing whole."""
        listening = self._followed.get((namespace, name))
        if listening is None:
            return None
        done, _ = await asyncio.wait([listening], timeout=HEARING)
        if not done:
            _end(self._followed.pop((namespace, name)))
        if not done or listening.cancelled() or listening.exception() is not None:
            return None
        return listening.result()

    async def _listen(self, namespace: str, job: str) -> Harvest | None:
        """Wait for the pod's collector, and hear it to its end, also through losses of the connection. None where nothing is to come."""
        client = await self._connection.client()
        while True:
            with suppress(UnreachableError):
                pod = await newest_pod(client, namespace, job)
                record = await hear(client, pod) if pod else None
                if pod is not None and record is not None and record.is_over:
                    return await harvest(client, pod, record)
                if await _is_past(client, namespace, job, pod):
                    return None
            await asyncio.sleep(LISTEN_AGAIN)


async def _is_past(client: Client, namespace: str, job: str, pod: Manifest | None) -> bool:
    """Tell whether a collector that has not spoken never will."""
    if pod is None:
        return await client.find(JOB, job, namespace) is None
    now = await client.find(POD, pod["metadata"]["name"], namespace)
    return now is None or _has_ended(now) or (is_over(now) and not _has_started(now))


def _end(listening: asyncio.Task[Harvest | None]) -> None:
    """Stop listening, and let go of what was heard."""
    listening.cancel()
    if listening.done() and not listening.cancelled() and listening.exception() is None:
        heard = listening.result()
        if heard is not None:
            heard.archive.close()


def nothing(*left: str) -> Harvest:
    """Return an empty harvest, with what is to be said of it."""
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w:gz").close()
    empty.seek(0)
    return Harvest(archive=empty, left=list(left))


async def newest_pod(client: Client, namespace: str, name: str) -> Manifest | None:
    """Return the newest pod of a job, or None."""
    pods = await pods_of(client, namespace, name)
    return pods[-1] if pods else None


async def gather(client: Client, pod: Manifest, *, patience: float) -> Harvest:
    """Read what the collector of an ended pod wrote, or is about to write."""
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    trouble = "its collector's log broke off"
    deadline = asyncio.get_running_loop().time() + patience
    tries = 0
    while tries < TRIES and asyncio.get_running_loop().time() < deadline:
        try:
            record = await hear(client, pod)
            if record is not None and record.is_over and (record.archive is not None or record.never_started):
                return await harvest(client, pod, record)
            tries += _has_ended(pod) or record is not None
        except ConductorError as error:
            tries, trouble = tries + 1, error.message
        await asyncio.sleep(LOOK)
        pod = await client.find(POD, name, namespace) or pod
        if _never_started(pod):
            return nothing()
    return _from_message(pod, trouble)


async def hear(client: Client, pod: Manifest) -> Transcript | None:
    """Follow the collector's log until its last word, or until it breaks off. None where the collector has not started."""
    if not _has_started(pod):
        return None
    metadata, record, lines = pod["metadata"], Transcript(), LineFeed()
    path = POD.path(metadata["namespace"], metadata["name"], "log")
    wanted: dict[str, str | int | bool | None] = {"container": COLLECTOR, "follow": True}
    doing = f"reading what the tests in {metadata['name']} left"
    async with client.stream(path, doing=doing, parameters=wanted, silence=SILENCE) as response:
        async for chunk in response.aiter_bytes():
            for line in lines.feed(chunk):
                record.take(line)
            if record.is_over:
                break
    return record


async def harvest(client: Client, pod: Manifest, record: Transcript) -> Harvest:
    """Make a harvest of a transcript; what its collector holds is fetched."""
    if record.never_started:
        return nothing()
    if record.held is not None:
        whole = await _fetch(client, pod, record.held)
        if whole is not None:
            return Harvest(archive=whole, left=record.left, waiting=True)
    if record.archive is None:
        return nothing(*record.left, f"what the collector wrote came through damaged: {_LOST}")
    return Harvest(archive=io.BytesIO(record.archive), left=[*record.left, *record.rest])


async def _fetch(client: Client, pod: Manifest, seal: Seal) -> IO[bytes] | None:
    """Fetch what has no room in a log; None where it cannot be had any more."""
    metadata = pod["metadata"]
    target = Target(namespace=metadata["namespace"], pod=metadata["name"], container=COLLECTOR)
    spool = tempfile.TemporaryFile()  # noqa: SIM115 -- goes with the harvest
    digest = hashlib.sha256()
    try:
        async with asyncio.timeout(PATIENCE), aclosing(read_file(client, target, WHOLE)) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
                spool.write(chunk)
    except (ConductorError, TimeoutError):
        spool.close()
        return None
    if spool.tell() != seal.size or digest.hexdigest() != seal.digest:
        spool.close()
        return None
    spool.seek(0)
    return spool


def _from_message(pod: Manifest, trouble: str) -> Harvest:
    """Read the collector's termination message: small archives, or reports alone."""
    ended = state_of(_collector(pod), "terminated") or {}
    record = transcript(str(ended.get("message") or ""))
    if record.archive is None:
        return nothing(f"{_LOST}: {trouble}")
    return Harvest(archive=io.BytesIO(record.archive), left=[*record.left, *record.rest])


async def _give_up(client: Client, pod: Manifest, *, waiting: bool) -> None:
    """Let the collector end, and the pod go."""
    metadata = pod["metadata"]
    if waiting:
        target = Target(namespace=metadata["namespace"], pod=metadata["name"], container=COLLECTOR)
        with suppress(ConductorError):
            await execute(client, target, ["/bin/busybox", "touch", TAKEN], timeout=timedelta(seconds=10))
    now = await client.find(POD, metadata["name"], metadata["namespace"])
    if now is not None and FINALIZER in (now["metadata"].get("finalizers") or ()):
        await release(client, now)


def _collector(pod: Manifest) -> Status:
    statuses = (pod.get("status") or {}).get("initContainerStatuses") or ()
    return next((status for status in statuses if status.get("name") == COLLECTOR), {})


def _has_started(pod: Manifest) -> bool:
    status = _collector(pod)
    return any(state_of(status, state) is not None for state in ("running", "terminated"))


def _has_ended(pod: Manifest) -> bool:
    return state_of(_collector(pod), "terminated") is not None


def _never_started(pod: Manifest) -> bool:
    """Tell whether it is over, or hopeless, without the collector ever having run."""
    return not _has_started(pod)
