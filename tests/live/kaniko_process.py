"""A process of its own that builds one image and tells each line: there to be killed.

python -m tests.live.kaniko_process KIND INSTANCE CHECKOUT REPOSITORY RUN
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from conductor.adapters.kubernetes.api.connection import Connection
from conductor.building.context import key_of
from conductor.domain.names import LABEL_RUN
from conductor.domain.stack import Build
from conductor.ports.builder import Builder, BuildOrder
from tests.kubernetes.clusters import KUBECONFIG
from tests.live.kaniko_builds import kaniko_builder, registry_of


async def order_of(builder: Builder, *, checkout: Path, repository: str, run: str) -> BuildOrder:
    """Order what the Dockerfile of a checkout says. Whoever asks with the same words asks for the same."""
    return BuildOrder(
        run=run,
        repository=repository,
        name="app",
        build=Build(),
        checkout=str(checkout),
        key=key_of(checkout, Build()),
        labels={LABEL_RUN: run},
    )


async def main(kind: str, instance: str, checkout: str, repository: str, run: str) -> None:
    """Build, and tell."""
    connection = Connection(KUBECONFIG)
    builder = kaniko_builder(connection, registry_of(kind), instance=instance)
    order = await order_of(builder, checkout=Path(checkout), repository=repository, run=run)

    async def tell(line: str) -> None:
        print(line, flush=True)  # noqa: T201 -- that is how it tells

    made = await builder.build(order, on_line=tell)
    print(f"MADE {made.digest}", flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
