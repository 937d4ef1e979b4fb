"""Images on a cluster without a registry: pods could get them from nowhere, and that is said before anything waits for one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from conductor.domain.report import BuiltImage
from conductor.domain.stack import Build
from conductor.domain.verdict import Fault, Reason
from conductor.errors import RunError
from conductor.ports.builder import BuildOrder, OnLine


class NoBuilder:
    """Refuses every build: images come from a registry, or are on the nodes already."""

    async def content_key(self, checkout: str, build: Build) -> str:
        """Name what was asked for; without a build nobody looks at the context."""
        del checkout
        return hashlib.sha256(json.dumps(asdict(build), sort_keys=True, default=str).encode()).hexdigest()[
            :32
        ]

    async def find(self, order: BuildOrder) -> BuiltImage | None:
        """Find none."""
        del order
        return None

    async def stop(self, run: str) -> None:
        """Do nothing: none was begun."""

    async def build(self, order: BuildOrder, *, on_line: OnLine) -> BuiltImage:
        """Raise `RunError`, always."""
        del on_line
        raise RunError(
            f"{order.name} is to be built from {order.build.dockerfile}, and the cluster has no registry to pull it from",
            reason=Reason.BUILD_FAILED,
            fault=Fault.REPOSITORY,
            remedy="Set CONDUCTOR_REGISTRY_TYPE and what it needs; or push the image yourself and name it with `image:`.",
            subject=order.name,
        )
