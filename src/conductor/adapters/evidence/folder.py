"""`FolderEvidence`: `<root>/runs/<run>/<attempt>/{checkout,logs,artifacts,...}` on this machine."""

from __future__ import annotations

import asyncio
import heapq
import os
import secrets
import shutil
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path

from conductor.adapters.evidence.log import Log
from conductor.adapters.evidence.names import RESERVED, checked_run, confined, is_log, log_file, workload_of
from conductor.domain.report import LogLine
from conductor.errors import StateError
from conductor.ports.news import LineListener

_BATCH = 1000
_UNFINISHED = ".saving-"
_BULKY = ("logs", "artifacts")
"""What retention removes; reports and the blueprint are small, and stay."""
_SHED = ".removed"
"""The file that says when it did."""
_REMEDY = (
    "See that the disk that holds the state folder (CONDUCTOR_STATE) has space and that you may write there."
)


class FolderEvidence:
    """Evidence under one root folder, which several processes may share."""

    def __init__(self, root: Path, *, on_lines: LineListener | None = None) -> None:
        """Tell `on_lines` of each batch of lines that is on record."""
        self._on_lines = on_lines
        self._runs = root / "runs"
        self._logs: dict[Path, Log] = {}

    def folder(self, run_id: str, attempt: int) -> Path:
        """Return the folder of an attempt; made where it is missing."""
        path = self._attempt(run_id, attempt)
        with _translated(f"making the folder of {run_id}"):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    async def append_log(self, run_id: str, attempt: int, lines: Sequence[LogLine]) -> None:
        """Add lines to their workloads' logs."""
        folder = self.folder(run_id, attempt) / "logs"
        whose = attrgetter("workload")
        with _translated(f"writing the logs of {run_id}"):
            folder.mkdir(exist_ok=True, mode=0o700)
            for workload, added in groupby(sorted(lines, key=whose), key=whose):
                await asyncio.to_thread(self._log(folder, workload).append, list(added))
        if self._on_lines:
            self._on_lines(run_id, attempt, lines)

    async def last_logged(self, run_id: str, attempt: int, workload: str) -> datetime | None:
        """Return the time of the last whole line on record; several lines may share it."""
        log = self._log(self._attempt(run_id, attempt) / "logs", workload)
        with _translated(f"reading the log of {workload} of {run_id}"), suppress(FileNotFoundError):
            return await asyncio.to_thread(log.last)
        return None

    async def workloads(self, run_id: str, attempt: int) -> Sequence[str]:
        """Return whose logs there are, by name."""
        folder = self._attempt(run_id, attempt) / "logs"
        with _translated(f"reading the logs of {run_id}"), suppress(FileNotFoundError):
            names = await asyncio.to_thread(os.listdir, folder)
            return sorted({workload_of(name) for name in names if is_log(name)})
        return []

    async def read_log(
        self,
        run_id: str,
        attempt: int,
        *,
        workload: str | None = None,
        since: datetime | None = None,
        tail: int | None = None,
    ) -> AsyncIterator[LogLine]:
        """Yield lines of one workload, or of all in the order of their times, those strictly after `since`."""
        whose = [workload] if workload is not None else await self.workloads(run_id, attempt)
        folder = self._attempt(run_id, attempt) / "logs"
        logs = [log for log in (self._log(folder, one) for one in whose) if log.exists()]
        merged = _merged(logs, since) if tail is None else _last(logs, since, tail)
        with _translated(f"reading the logs of {run_id}"):
            while batch := await asyncio.to_thread(lambda: list(islice(merged, _BATCH))):
                for line in batch:
                    yield line

    async def save(self, run_id: str, attempt: int, name: str, content: AsyncIterator[bytes] | bytes) -> Path:
        """Keep a file under a relative name; whole or not at all. RefusedError where the name leads out of the folder."""
        path = confined(self.folder(run_id, attempt), name)
        with _translated(f"keeping {name!r} of {run_id}"):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            unfinished = path.parent / f"{_UNFINISHED}{secrets.token_hex(8)}"
            try:
                await _fill(unfinished, content)
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)
            await asyncio.to_thread(_settle, path.parent)
        return path

    async def files(self, run_id: str, attempt: int) -> Sequence[str]:
        """Return the names of what was saved, in order."""
        with _translated(f"listing the files of {run_id}"):
            return await asyncio.to_thread(lambda: sorted(_saved(self._attempt(run_id, attempt))))

    async def attempts(self) -> Sequence[tuple[str, int]]:
        """Return the attempts of which logs or artifacts are there."""
        with _translated("looking through the evidence"):
            return await asyncio.to_thread(lambda: sorted(_attempts(self._runs)))

    async def size(self, run_id: str, attempt: int) -> int:
        """Return the bytes of its logs and artifacts."""
        with _translated(f"measuring the files of {run_id}"):
            return await asyncio.to_thread(_bytes_of, self._bulky(run_id, attempt))

    async def shed(self, run_id: str, attempt: int, *, at: datetime) -> int:
        """Remove logs and artifacts, and remember when; gone already is well. Returns the bytes."""
        folder = self.folder(run_id, attempt)
        with _translated(f"removing the files of {run_id}"):
            freed = await self.size(run_id, attempt)
            if not (folder / _SHED).exists():
                (folder / _SHED).write_text(at.isoformat())
            for path in self._bulky(run_id, attempt):
                await asyncio.to_thread(_remove, path)
        self._forget(folder)
        return freed

    async def shed_at(self, run_id: str, attempt: int) -> datetime | None:
        """Return when its logs and artifacts were removed for good."""
        with _translated(f"reading the files of {run_id}"), suppress(FileNotFoundError, ValueError):
            return datetime.fromisoformat((self._attempt(run_id, attempt) / _SHED).read_text())
        return None

    async def pack(self, run_id: str, attempt: int) -> int:
        """Compress the logs. Returns how many were not before."""
        folder = self._attempt(run_id, attempt) / "logs"
        logs = [self._log(folder, workload) for workload in await self.workloads(run_id, attempt)]
        with _translated(f"compressing the logs of {run_id}"):
            return sum([await asyncio.to_thread(log.pack) for log in logs])

    async def delete(self, run_id: str) -> None:
        """Remove all of a run's; gone already is well."""
        path = self._runs / checked_run(run_id)
        with _translated(f"removing the files of {run_id}"):
            await asyncio.to_thread(_remove, path)
        self._forget(path)

    def _forget(self, folder: Path) -> None:
        for log in [log for log in self._logs if log.is_relative_to(folder)]:
            del self._logs[log]

    def _bulky(self, run_id: str, attempt: int) -> tuple[Path, ...]:
        return tuple(self._attempt(run_id, attempt) / name for name in _BULKY)

    def _attempt(self, run_id: str, attempt: int) -> Path:
        return self._runs / checked_run(run_id) / str(int(attempt))

    def _log(self, folder: Path, workload: str) -> Log:
        path = folder / log_file(workload)
        return self._logs.setdefault(path, Log(path, workload))


def _merged(logs: Sequence[Log], since: datetime | None) -> Iterator[LogLine]:
    return heapq.merge(*(log.read(since) for log in logs), key=attrgetter("at"))


def _last(logs: Sequence[Log], since: datetime | None, count: int) -> Iterator[LogLine]:
    tails = (log.tail(count, since) for log in logs)
    merged = list(heapq.merge(*tails, key=attrgetter("at")))
    yield from merged[len(merged) - count if count < len(merged) else 0 :]


async def _fill(path: Path, content: AsyncIterator[bytes] | bytes) -> None:
    with path.open("xb") as file:
        if isinstance(content, bytes):
            await asyncio.to_thread(file.write, content)
        else:
            async for block in content:
                await asyncio.to_thread(file.write, block)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())


def _settle(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _saved(folder: Path) -> Iterator[str]:
    for where, folders, files in os.walk(folder):
        if Path(where) == folder:
            folders[:] = [name for name in folders if name not in RESERVED and not name.startswith(".")]
        for name in files:
            path = Path(where, name)
            if name != _SHED and not name.startswith(_UNFINISHED) and stat.S_ISREG(path.lstat().st_mode):
                yield path.relative_to(folder).as_posix()


def _attempts(runs: Path) -> Iterator[tuple[str, int]]:
    with suppress(FileNotFoundError):
        for path in runs.glob("*/*"):
            if path.name.isdecimal() and any((path / name).exists() for name in _BULKY):
                yield path.parent.name, int(path.name)


def _bytes_of(folders: Sequence[Path]) -> int:
    """Add up what is there; what goes meanwhile counts nothing."""
    total = 0
    for where, _, names in (found for folder in folders for found in os.walk(folder)):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(where, name).lstat().st_size
    return total


def _remove(path: Path) -> None:
    def open_up(
        call: Callable[[str], object], name: str, problem: tuple[type, BaseException, object]
    ) -> None:
        if isinstance(problem[1], FileNotFoundError):
            return
        Path(name).parent.chmod(0o700)
        if Path(name).is_dir() and not Path(name).is_symlink():
            Path(name).chmod(0o700)
            shutil.rmtree(name)
        else:
            call(name)

    shutil.rmtree(path, onerror=open_up)


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(f"{doing}: {error.strerror}", remedy=_REMEDY) from error
