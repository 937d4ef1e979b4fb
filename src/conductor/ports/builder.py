"""The builder: from a context to an image."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from conductor.domain.report import BuiltImage
from conductor.domain.stack import Build

OnLine = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Remote:
    """Where a cluster may fetch the same commit by itself."""

    url: str
    """`https://...`, without credentials."""
    commit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildOrder:
    """One image that a run needs: made of what, for whom."""

    run: str
    repository: str
    """As people name it (`acme/shop`)."""
    name: str
    """`<service>` or `tests/<suite>`."""
    build: Build
    checkout: str
    """Absolute path of the checkout on this machine."""
    key: str
    """The content key (`building.context.key_of`): what was made under it is the image."""
    remote: Remote | None = None
    """None where the checkout is not what a commit says."""
    labels: Mapping[str, str] = field(default_factory=dict)


class Builder(Protocol):
    """Makes images, and knows which it has made.

    Law: what is unchanged (context as `.dockerignore` leaves it, Dockerfile, args, target) is not built again: the content key is the
    image's name. Two builds of one key at the same time end in one image. A build that was begun is adopted by whoever orders it again.
    """

    async def find(self, order: BuildOrder) -> BuiltImage | None:
        """Return the image made under the order's key, if it is still there. Its `name` is empty."""
        ...

    async def build(self, order: BuildOrder, *, on_line: OnLine) -> BuiltImage:
        """Build it, handing each line of output on. Raises `RunError(reason=BuildFailed)` with the failing line and its Dockerfile line."""
        ...

    async def stop(self, run: str) -> None:
        """End the builds of a run that nobody waits for any more, whoever began them; returns once they are gone."""
        ...
