"""Builds on a cluster: what Conductor adds to Kaniko's own time, and four images side by side against one after the other.

The settings choose cluster and registry (`CONDUCTOR_ENGINE=kubernetes`, `CONDUCTOR_REGISTRY_TYPE`, ...); `CONDUCTOR_BENCH_BASE` names
the base image, `node:22-alpine` without it. Each image copies a file and runs a command, and none has been built before.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conductor.bootstrap import load_settings, reading
from conductor.building.context import key_of
from conductor.domain.stack import Build
from conductor.ports.builder import Builder, BuildOrder

BASE = os.environ.get("CONDUCTOR_BENCH_BASE", "node:22-alpine")
IMAGES = 4


@dataclass
class Timed:
    """One build: seconds until Kaniko's first line, while it wrote, after its last line."""

    began: float = field(default_factory=time.monotonic)
    first: float = 0.0
    last: float = 0.0
    ended: float = 0.0

    async def on_line(self, line: str) -> None:
        """Note when a line came."""
        del line
        self.last = time.monotonic()
        self.first = self.first or self.last

    def shown(self) -> str:
        """Write it as one line."""
        before, own, after = self.first - self.began, self.last - self.first, self.ended - self.last
        return f"{self.ended - self.began:6.1f} s = {before:.1f} until the first line + {own:.1f} Kaniko + {after:.1f} after its last line"


def main() -> None:
    """Measure and print."""
    settings = load_settings()
    if settings.engine != "kubernetes" or settings.registry_type is None:
        sys.exit("set CONDUCTOR_ENGINE=kubernetes and CONDUCTOR_REGISTRY_TYPE, with what they need")
    asyncio.run(_measure())


async def _measure() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with reading(load_settings(state=Path(folder) / "state")) as app:
            builder = app.world.builder
            await _build(builder, Path(folder), "warm")  # the namespace is made once, images are pulled once
            apart = [await _build(builder, Path(folder), f"apart{n}") for n in range(IMAGES)]
            together = await asyncio.gather(
                *(_build(builder, Path(folder), f"beside{n}") for n in range(IMAGES))
            )
            _show("one after the other", apart, sum(one.ended - one.began for one in apart))
            _show("side by side", together, max(one.ended for one in together) - together[0].began)
            order = await _order(Path(folder), "apart0")
            began = time.monotonic()
            found = await builder.find(order)
            print(f"unchanged: {'found' if found else 'NOT FOUND'} in {time.monotonic() - began:.2f} s")


def _show(how: str, timed: Sequence[Timed], whole: float) -> None:
    print(f"{IMAGES} images {how}: {whole:.1f} s")
    for one in timed:
        print(f"    {one.shown()}")


async def _build(builder: Builder, folder: Path, name: str) -> Timed:
    checkout = folder / name
    checkout.mkdir()
    (checkout / "Dockerfile").write_text(f"FROM {BASE}\nCOPY it /it\nRUN wc -c /it\n")
    (checkout / "it").write_text(secrets.token_hex(1000))
    order = await _order(folder, name)
    timed = Timed()
    await builder.build(order, on_line=timed.on_line)
    timed.ended = time.monotonic()
    return timed


async def _order(folder: Path, name: str) -> BuildOrder:
    build, checkout = Build(), str(folder / name)
    key = key_of(Path(checkout), build)
    return BuildOrder(
        run=f"bench-{folder.name}",
        repository="bench/kaniko",
        name=name,
        build=build,
        checkout=checkout,
        key=key,
    )


if __name__ == "__main__":
    main()
