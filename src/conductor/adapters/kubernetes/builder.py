"""Images on a cluster without a registry: pods could get them from nowhere, and that is said before anything waits for one."""

from __future__ import annotations

from conductor.domain.report import BuiltImage
from conductor.domain.verdict import Fault, Reason
from conductor.errors import RunError
from conductor.ports.builder import BuildOrder, OnLine


class NoBuilder:
    """Refuses every build: images come from a registry, or are on the nodes already."""

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
