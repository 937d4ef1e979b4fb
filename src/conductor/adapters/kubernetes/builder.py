"""Images on a cluster: Conductor makes none there yet, and says so before anything waits for one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from conductor.domain.report import BuiltImage
from conductor.domain.stack import Build
from conductor.domain.verdict import Fault, Reason
from conductor.errors import RunError
from conductor.ports.builder import OnLine


class NoBuilder:
    """Refuses every build: images come from a registry, or are on the nodes already."""

    async def content_key(self, checkout: str, build: Build) -> str:
        """Name what was asked for; without a build nobody looks at the context."""
        del checkout
        return hashlib.sha256(json.dumps(asdict(build), sort_keys=True, default=str).encode()).hexdigest()[
            :32
        ]

    async def find(self, key: str) -> BuiltImage | None:
        """Find none."""
        del key
        return None

    async def build(
        self, checkout: str, build: Build, *, key: str, name: str, labels: dict[str, str], on_line: OnLine
    ) -> BuiltImage:
        """Raise `RunError`, always."""
        del checkout, key, labels, on_line
        raise RunError(
            f"{name} is to be built from {build.dockerfile}, and no images are built on a cluster yet",
            reason=Reason.BUILD_FAILED,
            fault=Fault.REPOSITORY,
            remedy="Push it to a registry that the cluster can pull from and name it with `image:`, or use the docker engine.",
            subject=name,
        )
