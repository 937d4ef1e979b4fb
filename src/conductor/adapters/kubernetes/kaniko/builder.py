"""`ports.builder.Builder` for a cluster: each image by a Kaniko Job, pushed to the registry under its content key."""

from __future__ import annotations

import asyncio
from pathlib import Path

from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.kaniko.site import KanikoSite
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.building.context import content_key, read_context
from conductor.domain.report import BuiltImage
from conductor.domain.stack import Build
from conductor.ports.builder import BuildOrder, OnLine
from conductor.ports.registry import Registry


class KanikoBuilder:
    """Builds on a cluster. `site` names the instance and its role; `kaniko` is how images are built."""

    def __init__(
        self, connection: Connection, registry: Registry, *, site: Site, kaniko: KanikoSite | None = None
    ) -> None:
        self._connection = connection
        self._registry = registry
        self._site = site
        self._kaniko = kaniko or KanikoSite()

    async def content_key(self, checkout: str, build: Build) -> str:
        """Work out the key of what is in the checkout now."""
        context = await asyncio.to_thread(read_context, Path(checkout), build)
        return await asyncio.to_thread(content_key, context, build)

    async def find(self, order: BuildOrder) -> BuiltImage | None:
        """Ask the registry for the image of this key."""
        reference = self._registry.reference(order.repository, order.name, order.key)
        digest = await self._registry.find(reference)
        if digest is None:
            return None
        return BuiltImage(name="", reference=f"{reference}@{digest}", digest=digest, cached=True)

    async def build(self, order: BuildOrder, *, on_line: OnLine) -> BuiltImage:
        """Build it by a Job, or adopt the Job that builds it."""
        raise NotImplementedError
