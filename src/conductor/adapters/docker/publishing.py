"""Images that the engine has made, in a registry besides: what is scanned, and what others can pull.

Law: what the registry has under the key's name is not pushed again, and only what the registry itself says is the digest.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from conductor.adapters.docker.builder import DockerBuilder
from conductor.adapters.docker.connection.client import Connection, reaching
from conductor.domain.report import BuiltImage
from conductor.domain.verdict import Fault, Reason
from conductor.errors import RunError
from conductor.ports.builder import BuildOrder, OnLine
from conductor.ports.registry import Credentials, Registry

LIFE = timedelta(hours=1)
"""How long a grant to push is good for."""


class PublishingBuilder:
    """`ports.builder.Builder` over the one of the engine: containers run its images, and the registry has them too."""

    def __init__(
        self, builder: DockerBuilder, connection: Connection, registry: Registry, *, insecure: bool = False
    ) -> None:
        """`insecure`: the registry is spoken to without TLS, or with a certificate that nobody checks."""
        self._builder = builder
        self._connection = connection
        self._registry = registry
        self._insecure = insecure

    async def find(self, order: BuildOrder) -> BuiltImage | None:
        """Find it on the engine; where only the registry lacks it, it is pushed."""
        found = await self._builder.find(order)
        return found and await self._published(order, found)

    async def build(self, order: BuildOrder, *, on_line: OnLine) -> BuiltImage:
        """Build it on the engine, then push it."""
        return await self._published(order, await self._builder.build(order, on_line=on_line), on_line)

    async def stop(self, run: str) -> None:
        """End what the engine's builder has under way."""
        await self._builder.stop(run)

    async def _published(
        self, order: BuildOrder, image: BuiltImage, on_line: OnLine | None = None
    ) -> BuiltImage:
        name = self._registry.reference(order.repository, order.name, order.key)
        digest = await self._registry.find(name)
        if digest is None:
            if on_line:
                await on_line(f"pushing {name}")
            await self._push(order, image.reference, name)
            digest = await self._registry.find(name)
        if digest is None:
            raise _failed(name, "the registry has no such image although it took it")
        return replace(image, published=f"{name}@{digest}", link=self._registry.link(name, digest))

    async def _push(self, order: BuildOrder, reference: str, name: str) -> None:
        build = f"{order.run}/{order.name}"
        grant = await self._registry.grant_push(order.repository, build=build, life=LIFE)
        try:
            await self._send(reference, name, grant.credentials)
        finally:
            await self._registry.revoke_push(build, repository=order.repository)

    async def _send(self, reference: str, name: str, credentials: Credentials | None) -> None:
        """POST /images/{name}/push (docs.docker.com/reference/api/engine); `tlsVerify` is Podman's."""
        docker = await self._connection.client()
        repository, _, tag = name.rpartition(":")
        parameters = {"tag": tag, **({"tlsVerify": "false"} if self._insecure else {})}
        with reaching(f"pushing {name}"):
            await docker.images.tag(reference, repo=repository, tag=tag)
            pushing = docker.stream(
                "POST",
                f"images/{repository}/push",
                params=parameters,
                headers={"X-Registry-Auth": _told(credentials)},
            )
            async with pushing as response:
                async for line in response.content:
                    _read(name, line)


def _read(name: str, line: bytes) -> None:
    """Read one message of a push. Raises what it says went wrong."""
    message: Mapping[str, Any] = json.loads(line) if line.strip() else {}
    if error := message.get("error") or (message.get("errorDetail") or {}).get("message"):
        raise _failed(name, str(error))


def _told(credentials: Credentials | None) -> str:
    who = (
        {
            "username": credentials.username,
            "password": credentials.password,
            "serveraddress": credentials.server,
        }
        if credentials
        else {}
    )
    return base64.urlsafe_b64encode(json.dumps(who).encode()).decode()


def _failed(name: str, why: str) -> RunError:
    return RunError(
        f"{name} cannot be pushed: {why[:500]}",
        reason=Reason.BUILD_FAILED,
        fault=Fault.PLATFORM,
        remedy="`conductor doctor` tries the registry and says what it lacks.",
    )
