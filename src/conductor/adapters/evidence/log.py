"""The log of one workload: appended by one process at a time, read by any.

Laws. Whoever appends holds the file's lock and first cuts off what a killed writer left half-written. A line from before the last moment
on record is not recorded again by the next writer. Of the lines of that moment itself, which engines give to whole chunks, only the
writer can know how many were repeated: it counts them. A log that was packed reads as before; whoever appends to it unpacks it first.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path

from conductor.adapters.evidence import lines, packed
from conductor.domain.report import LogLine

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


class Log:
    """One file and what this process knows of its end."""

    def __init__(self, path: Path, workload: str) -> None:
        self._path = path
        self._workload = workload
        self._end = -1
        self._repeated: Counter[bytes] = Counter()
        self._turn = threading.Lock()

    def exists(self) -> bool:
        """Tell whether anything was ever written, packed or not."""
        return self._path.exists() or packed.packed_path(self._path).exists()

    def pack(self) -> bool:
        """Compress it, once nobody writes it any more. Tells whether there was anything to do."""
        with self._turn:
            return packed.pack(self._path)

    def append(self, added: Sequence[LogLine]) -> None:
        """Add lines, leaving out those that are on record already. OSError leaves the file as it was."""
        with self._turn:
            packed.unpack(self._path)
            self._append(added)

    def _append(self, added: Sequence[LogLine]) -> None:
        with self._opened(os.O_RDWR | os.O_CREAT | os.O_APPEND) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_size != self._end:
                self._look_again(file, added[0].at)
            content = b"".join(self._new(record for line in added for record in lines.encode(line)))
            _write(file, content, end=self._end)
            self._end += len(content)

    def last(self) -> datetime | None:
        """Return the time of the last line."""
        with self._opened(os.O_RDONLY) as file:
            return next((at for record in lines.backward(file) if (at := lines.time_of(record))), None)

    def read(self, since: datetime | None) -> Iterator[LogLine]:
        """Yield lines in the order in which they were appended, those strictly after `since`."""
        with self._opened(os.O_RDONLY) as file:
            start = lines.offset_before(file, since) if since else 0
            for record in lines.forward(file, start):
                line = lines.decode(self._workload, record)
                if line and (since is None or line.at > since):
                    yield line

    def tail(self, count: int, since: datetime | None) -> Sequence[LogLine]:
        """Return the last lines."""
        with self._opened(os.O_RDONLY) as file:
            decoded = (lines.decode(self._workload, record) for record in lines.backward(file))
            wanted = (line for line in decoded if line and (since is None or line.at > since))
            return list(islice(wanted, count))[::-1]

    def _look_again(self, file: int, since: datetime) -> None:
        """Mend the end, and take in what is there from `since` to before the last moment: somebody else wrote it."""
        self._end = lines.whole_bytes(file)
        os.ftruncate(file, self._end)
        self._repeated = Counter()
        last = None
        for record in lines.backward(file):
            at = lines.time_of(record)
            last = last or at
            if at and at < since:
                break
            if at != last:
                self._repeated[record + b"\n"] += 1

    def _new(self, records: Iterable[bytes]) -> Iterator[bytes]:
        for record in records:
            if self._repeated.get(record, 0) > 0:
                self._repeated[record] -= 1
            else:
                yield record

    @contextmanager
    def _opened(self, flags: int) -> Iterator[int]:
        try:
            file = os.open(self._path, flags | _FLAGS, 0o600)
        except FileNotFoundError:
            file = packed.open_unpacked(self._path)
        try:
            yield file
        finally:
            os.close(file)


def _write(file: int, content: bytes, *, end: int) -> None:
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[os.write(file, rest) :]
    except OSError:
        os.ftruncate(file, end)
        raise
