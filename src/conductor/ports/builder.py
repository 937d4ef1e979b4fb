"""The builder: from a context to an image."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from conductor.domain.report import BuiltImage
from conductor.domain.stack import Build

OnLine = Callable[[str], Awaitable[None]]


class Builder(Protocol):
    """Makes images, and knows which it has made.

    Law: what is unchanged (context as `.dockerignore` leaves it, Dockerfile, args, target) is not built again: the content key is the
    image's name. Two builds of one key at the same time end in one image.
    """

    async def content_key(self, checkout: str, build: Build) -> str:
        """Work out the key: hex digits, the same for the same content on any machine."""
        ...

    async def find(self, key: str) -> BuiltImage | None:
        """Return the image made under this key, if it is still there. Its `name` is empty."""
        ...

    async def build(
        self, checkout: str, build: Build, *, key: str, name: str, labels: dict[str, str], on_line: OnLine
    ) -> BuiltImage:
        """Build it, handing each line of output on. Raises `RunError(reason=BuildFailed)` with the failing line and its Dockerfile line."""
        ...
