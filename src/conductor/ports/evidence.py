"""Evidence: logs, reports and artifacts of a run, at one address for its life."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from conductor.domain.report import LogLine


class Evidence(Protocol):
    """Law: what was appended survives a kill -9 right after; a log never has a line twice, and a half-written last line is mended."""

    def folder(self, run_id: str, attempt: int) -> Path:
        """Return the folder of an attempt on this machine (checkout, artifacts, scratch); made where it is missing."""
        ...

    async def append_log(self, run_id: str, attempt: int, lines: Sequence[LogLine]) -> None:
        """Add lines to their workloads' logs."""
        ...

    async def last_logged(self, run_id: str, attempt: int, workload: str) -> datetime | None:
        """Return the time of the last line on record: from there capture goes on."""
        ...

    async def workloads(self, run_id: str, attempt: int) -> Sequence[str]:
        """Return whose logs there are."""
        ...

    def read_log(
        self,
        run_id: str,
        attempt: int,
        *,
        workload: str | None = None,
        since: datetime | None = None,
        tail: int | None = None,
    ) -> AsyncIterator[LogLine]:
        """Yield lines of one workload, or of all in the order of their times; the last `tail` only, where set."""
        ...

    async def save(self, run_id: str, attempt: int, name: str, content: AsyncIterator[bytes] | bytes) -> Path:
        """Keep a file under a relative name (`artifacts/...`, `report.md`); whole or not at all."""
        ...

    async def files(self, run_id: str, attempt: int) -> Sequence[str]:
        """Return the names of what was saved."""
        ...

    async def attempts(self) -> Sequence[tuple[str, int]]:
        """Return the attempts (run, number) of which logs or artifacts are there."""
        ...

    async def size(self, run_id: str, attempt: int) -> int:
        """Return the bytes of its logs and artifacts."""
        ...

    async def shed(self, run_id: str, attempt: int, *, at: datetime) -> int:
        """Remove the logs and artifacts of an attempt for good, and remember when; its reports stay. Returns the bytes that are free."""
        ...

    async def shed_at(self, run_id: str, attempt: int) -> datetime | None:
        """Return when that was done; None where it was not."""
        ...

    async def pack(self, run_id: str, attempt: int) -> int:
        """Compress the logs of an attempt that has ended: they read as before. Returns how many were not compressed."""
        ...

    async def delete(self, run_id: str) -> None:
        """Remove all of a run's."""
        ...
