"""The fake builder: every image is built at once and is nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from conductor.adapters.fake.misfortunes import Fate, Misfortune, parse_misfortunes
from conductor.domain.report import BuiltImage
from conductor.errors import RunError
from conductor.ports.builder import BuildOrder, OnLine


class FakeBuilder:
    """Remembers what it has built, in memory or by files of a `state` folder."""

    def __init__(self, state: Path | None = None, *, misfortunes: Iterable[Misfortune] | None = None) -> None:
        asked = (
            parse_misfortunes(os.environ.get("CONDUCTOR_FAIL", "")) if misfortunes is None else misfortunes
        )
        self._fate = Fate(asked)
        self._folder = state / "fake-images" if state else None
        self._images: dict[str, BuiltImage] = {}
        self.builds: list[str] = []
        """The names that were really built, in order."""
        self.stopped: list[str] = []
        """The runs whose builds were ended."""

    async def find(self, order: BuildOrder) -> BuiltImage | None:
        """Return it if it was built."""
        key = order.key
        known = key in self._images or (self._folder is not None and (self._folder / key).exists())
        return _image(key) if known else None

    async def build(self, order: BuildOrder, *, on_line: OnLine) -> BuiltImage:
        """Say two lines, and it is there."""
        await on_line(f"STEP 1/1: {order.build.dockerfile}")
        if self._fate.of("build", order.name):
            await on_line("STEP 1/1 failed, as was asked for")
            raise RunError(
                f"building {order.name} failed",
                reason="BuildFailed",
                fault="repository",
                remedy="Read the build's log; its last lines say why.",
            )
        await on_line(f"done {order.key[:12]}")
        self.builds.append(order.name)
        self._images[order.key] = _image(order.key)
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / order.key).touch()
        return _image(order.key)

    async def stop(self, run: str) -> None:
        """Remember that somebody asked."""
        self.stopped.append(run)


def _image(key: str) -> BuiltImage:
    return BuiltImage(name="", reference=f"fake/{key[:12]}", digest=f"sha256:{key}")
