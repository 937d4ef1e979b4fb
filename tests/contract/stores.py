"""Where contracts of the records are tested: a SQLite file and a Postgres database, with several processes' worth of connections."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conductor.adapters.stores import SqlStore
from conductor.domain.run import Run, Source

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_run(run_id: str, *, commit: str | None = "c" * 40, branch: str = "main", **changes: Any) -> Run:
    made = Run(
        id=run_id,
        repository="acme/shop",
        source=Source(location="https://forge/acme/shop", ref="v1", commit=commit, branch=branch),
        principal="ada",
        requested_at=NOON,
    )
    return replace(made, **changes)


@asynccontextmanager
async def replicas(where: Path | str, number: int) -> AsyncIterator[list[SqlStore]]:
    """Open the same records several times, each with connections of its own, as processes do."""
    opened: list[SqlStore] = []
    try:
        for _ in range(number):
            opened.append(await SqlStore.open(where))  # noqa: PERF401 -- what was opened is closed
        yield opened
    finally:
        for store in opened:
            await store.aclose()
