"""`ports.attestation.SbomGenerator` for a cluster: each SBOM by a Job beside the builds.

Law: the Job's name is worked out from the image, so a repeat reads the one that is there; what was read is removed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.api.kinds import JOB, POD, Manifest
from conductor.adapters.kubernetes.kaniko import grounds
from conductor.adapters.kubernetes.kaniko.place import namespace_of
from conductor.adapters.kubernetes.kaniko.sbom_job import (
    CONTAINER,
    TIME_LIMIT_SECONDS,
    Wanted,
    job,
    job_name,
    owned,
)
from conductor.adapters.kubernetes.kaniko.site import KanikoSite
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.adapters.kubernetes.seeing.pod_status import condition, is_over, main_status, state_of
from conductor.domain.verdict import Fault, Reason
from conductor.errors import ConductorError, RunError
from conductor.ports.registry import Credentials

LOOK = 0.5
START_LIMIT_SECONDS = 120.0
"""So long the tool's image may take to be pulled and started."""
SILENCE_SECONDS = 60.0
MOST_BYTES = 32 * 2**20


class SyftJobs:
    """Makes SBOMs on a cluster. `tool` is the image of Syft."""

    def __init__(self, connection: Connection, *, site: Site, kaniko: KanikoSite, tool: str) -> None:
        self._connection = connection
        self._site = site
        self._kaniko = kaniko
        self._tool = tool

    async def sbom(self, image: str, *, credentials: Credentials | None) -> bytes:
        """Have a Job make it, or adopt the one that does."""
        client = await self._connection.client()
        hosts = grounds.hosts_of(image, self._kaniko)
        await grounds.prepare(client, self._site, self._kaniko, hosts=hosts)
        found = await self._adopt_or_start(
            client, Wanted(image=image, tool=self._tool, credentials=credentials)
        )
        try:
            return await self._read(client, await self._ended(client, found))
        finally:
            with suppress(ConductorError):  # its own time limit ends what stays
                name, namespace = found["metadata"]["name"], found["metadata"]["namespace"]
                await client.delete(JOB, name, namespace, uid=found["metadata"]["uid"])

    async def _adopt_or_start(self, client: Client, wanted: Wanted) -> Manifest:
        name, namespace = job_name(wanted.image), namespace_of(self._site, self._kaniko)
        made = await client.create(job(wanted, site=self._site, kaniko=self._kaniko))
        if made is None:
            found = await client.get(JOB, name, namespace)
            if not found["spec"].get("suspend"):
                return found
            made = found  # whoever made it died before it was let go
        for thing in owned(wanted, made["metadata"], site=self._site, kaniko=self._kaniko):
            await client.create(thing)
        return await client.patch(JOB, name, {"spec": {"suspend": False}}, namespace)

    async def _ended(self, client: Client, found: Manifest) -> Manifest:
        """Wait for the end of the Job's pod; return it. RunError where it does not start, or its time is over."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while True:
            pod = await self._newest(client, found)
            if pod is not None and is_over(pod):
                return pod
            status = main_status(pod, CONTAINER) if pod else {}
            waited = loop.time() - begun
            if state_of(status, "running") is None and waited > START_LIMIT_SECONDS:
                raise _failed(_why_not_started(pod))
            if waited > START_LIMIT_SECONDS + TIME_LIMIT_SECONDS:
                raise _failed("it did not end in its time")
            await asyncio.sleep(LOOK)

    async def _newest(self, client: Client, found: Manifest) -> Manifest | None:
        """Return the Job's newest pod."""
        metadata = found["metadata"]
        labels = {"batch.kubernetes.io/controller-uid": str(metadata["uid"])}
        pods = (await client.list(POD, metadata["namespace"], labels=labels)).items
        return max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), default=None)

    async def _read(self, client: Client, pod: Manifest) -> bytes:
        """Read what the tool wrote. RunError with its last words where it failed."""
        path = POD.path(pod["metadata"]["namespace"], pod["metadata"]["name"], "log")
        parameters = {"container": CONTAINER}
        read = bytearray()
        doing = "reading an SBOM"
        async with client.stream(path, doing=doing, parameters=parameters, silence=SILENCE_SECONDS) as answer:
            async for chunk in answer.aiter_bytes():
                read += chunk
                if len(read) > MOST_BYTES:
                    raise _failed(f"it is larger than {MOST_BYTES} bytes")
        if pod["status"].get("phase") != "Succeeded":
            reason = str(pod["status"].get("reason") or "")
            last = bytes(read).decode(errors="replace").strip().splitlines()[-1:]
            raise _failed(" ".join([*filter(None, [reason]), *last]) or "the tool says nothing")
        return _document(bytes(read))


def _document(log: bytes) -> bytes:
    """Take the document out of a log, which has warnings besides: it is one line."""
    return next((line for line in reversed(log.splitlines()) if line.startswith(b"{")), b"")


def _why_not_started(pod: Manifest | None) -> str:
    if pod is None:
        return "the cluster made no pod for it"
    waiting = state_of(main_status(pod, CONTAINER), "waiting") or {}
    said = waiting.get("message") or condition(pod, "PodScheduled").get("message")
    return str(said or waiting.get("reason") or "no reason is told")


def _failed(why: str) -> RunError:
    return RunError(
        f"no SBOM was made: {why[:500]}",
        reason=Reason.BUILD_FAILED,
        fault=Fault.PLATFORM,
        remedy="See whether the engine can pull CONDUCTOR_SBOM_IMAGE, and it the image from the registry.",
    )
