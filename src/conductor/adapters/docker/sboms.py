"""`ports.attestation.SbomGenerator` for the engine of a machine: each SBOM by a container of Syft.

It is on the engine's own network, so that the registry's name is to it what it is to the engine; it has no capability, and what it needs
is copied into it. A container that a crash has left is replaced by the next try.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from conductor.adapters.docker.archives import copy_in, copy_out
from conductor.adapters.docker.connection.client import Client, Connection, reaching
from conductor.adapters.docker.containers.images import ready_image
from conductor.adapters.docker.marks import Failure
from conductor.domain.stack import Service
from conductor.domain.verdict import Fault, Reason
from conductor.errors import ConductorError, RunError
from conductor.ports.registry import Credentials

TIME_LIMIT = timedelta(minutes=10)
_DOCUMENT = "/tmp/sbom.cdx.json"  # noqa: S108 -- in a container
_CREDENTIALS = "/credentials/config.json"
_CA = "/trusted/ca.crt"


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How the registry is spoken to."""

    plain: bool = False
    """Without TLS."""
    unverified: bool = False
    """With a certificate that nobody checks."""
    ca: str = ""
    """Certificates (PEM) that its own is checked by."""


class SyftContainers:
    """Makes SBOMs on the engine. `tool` is the image of Syft, `instance` the name of this Conductor."""

    def __init__(self, connection: Connection, *, tool: str, instance: str, way: Way | None = None) -> None:
        self._connection = connection
        self._tool = tool
        self._instance = instance
        self._way = way or Way()

    async def sbom(self, image: str, *, credentials: Credentials | None) -> bytes:
        """Run the tool over an image, and take what it wrote."""
        client = await self._connection.client()
        ready = await ready_image(client, Service(name="sbom", image=self._tool))
        if isinstance(ready, Failure):
            raise _failed(ready.message)
        name = f"conductor-{self._instance}-sbom-{hashlib.sha256(image.encode()).hexdigest()[:12]}"
        await _remove(client, name)
        with reaching(f"making the SBOM of {image}"):
            made = await client.containers.create(self._config(image, credentials), name=name)
            try:
                if files := dict(self._files(credentials)):
                    await copy_in(client, made.id, "/", _archive(files))
                await made.start()
                await _end(client, made.id)
                return await _taken(client, made.id)
            finally:
                await _remove(client, name)

    def _config(self, image: str, credentials: Credentials | None) -> dict[str, Any]:
        environment = {"HOME": "/tmp", "SYFT_CHECK_FOR_APP_UPDATE": "false", "NO_COLOR": "1"}  # noqa: S108 -- in a container
        if self._way.plain:
            environment["SYFT_REGISTRY_INSECURE_USE_HTTP"] = "true"
        if self._way.unverified:
            environment["SYFT_REGISTRY_INSECURE_SKIP_TLS_VERIFY"] = "true"
        if self._way.ca:
            environment["SSL_CERT_DIR"] = f"/etc/ssl/certs:{PurePosixPath(_CA).parent}"
        if credentials:
            environment["DOCKER_CONFIG"] = str(PurePosixPath(_CREDENTIALS).parent)
        return {
            "Image": self._tool,
            "Cmd": ["scan", f"registry:{image}", "--output", f"cyclonedx-json={_DOCUMENT}"],
            "Env": [f"{name}={value}" for name, value in environment.items()],
            "HostConfig": {
                "NetworkMode": "host",
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
            },
        }

    def _files(self, credentials: Credentials | None) -> Iterator[tuple[str, str]]:
        if credentials:
            yield _CREDENTIALS, json.dumps(credentials.docker_config())
        if self._way.ca:
            yield _CA, self._way.ca


async def _end(client: Client, container: str) -> None:
    """Wait for the tool's end. RunError with its last words where it failed, or took too long."""
    try:
        async with asyncio.timeout(TIME_LIMIT.total_seconds()):
            async with client.stream("POST", f"containers/{container}/wait") as response:
                code = int((await response.json())["StatusCode"])
    except TimeoutError:
        raise _failed(f"it did not end within {TIME_LIMIT}") from None
    if code:
        said: list[str] = await client.containers.container(container).log(stdout=True, stderr=True)
        raise _failed("".join(said).strip() or f"exit code {code}")


async def _taken(client: Client, container: str) -> bytes:
    """Take the document out of the container."""
    archive = io.BytesIO()
    async with aclosing(copy_out(client, container, _DOCUMENT)) as chunks:
        async for chunk in chunks:
            archive.write(chunk)
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        found = next((tar.extractfile(entry) for entry in tar if entry.isfile()), None)
        return found.read() if found else b""


def _archive(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(text.encode()), 0o400
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


async def _remove(client: Client, name: str) -> None:
    with suppress(ConductorError), reaching(f"removing {name}"):
        await client.ask("DELETE", f"containers/{name}", params={"force": "true", "v": "true"})


def _failed(why: str) -> RunError:
    return RunError(
        f"no SBOM was made: {why[-500:]}",
        reason=Reason.BUILD_FAILED,
        fault=Fault.PLATFORM,
        remedy="See whether the engine can pull CONDUCTOR_SBOM_IMAGE, and it the image from the registry.",
    )
