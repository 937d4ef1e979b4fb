"""From what a kubelet answers to whole lines: pure.

Each line bears its time in nanoseconds; parts of a long line are joined by the kubelet. Both streams are one: the API does not tell them
apart (PodLogsQuerySplitStreams is alpha in 1.36).
Law: no two lines of a container have the same time, so that "strictly after" loses none and repeats none: a line that would not come
later than the one before it comes a microsecond later. Reading may begin at any whole second before the lines that are wanted.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from datetime import datetime, timedelta

from conductor.domain.report import LogLine

LONGEST_LINE = 2**20
"""Bytes; what is longer is cut into lines."""
MICROSECOND = timedelta(microseconds=1)
_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d) ")
_LONGEST_TIME = 40


class Lines:
    """Makes lines of one answer. `since` is the time after which they are wanted."""

    def __init__(self, workload: str, *, since: datetime | None = None) -> None:
        self._workload = workload
        self._since = since
        self._begun = bytearray()
        self._is_cut = False
        self._last: datetime | None = None
        self.first: datetime | None = None
        """The time of the first line of the answer, wanted or not."""
        self.wanted_bytes = 0
        """What the lines that were wanted have taken so far."""

    def feed(self, chunk: bytes) -> Iterator[LogLine]:
        """Take bytes, however they are cut; yield the lines that are whole and wanted."""
        *lines, rest = (self._begun + chunk).split(b"\n")
        for line in lines:
            yield from self._line((yield from self._cut(line)))
            self._is_cut = False
        self._begun = bytearray((yield from self._cut(rest)))

    def rest(self) -> Iterator[LogLine]:
        """Yield what was begun and never ended."""
        if self._begun:
            yield from self._line(bytes(self._begun))
            self._begun.clear()

    def _cut(self, line: bytearray) -> Generator[LogLine, None, bytes]:
        """Yield the pieces of a line that is too long, and return its end."""
        while len(line) > LONGEST_LINE + _LONGEST_TIME:
            yield from self._line(bytes(line[:LONGEST_LINE]))
            self._is_cut = True
            del line[:LONGEST_LINE]
        return bytes(line)

    def _line(self, line: bytes) -> Iterator[LogLine]:
        """Read one line. One without a time is the kubelet's own word, unless it goes on with a line that was cut."""
        found = None if self._is_cut else _TIME.match(line)
        if found is None and not self._is_cut:
            return
        text = line[found.end() :] if found else line
        at = _moment(found) if found else None
        given = max(at, self._last + MICROSECOND) if at and self._last else at or self._after_last()
        self._last = given
        self.first = self.first or given
        if self._since is None or given > self._since:
            self.wanted_bytes += len(line)
            written = text.removesuffix(b"\r").decode(errors="replace")
            yield LogLine(workload=self._workload, at=given, text=written)

    def _after_last(self) -> datetime:
        assert self._last is not None, "what is cut has begun"  # noqa: S101
        return self._last + MICROSECOND


def _moment(found: re.Match[bytes]) -> datetime:
    """Read a time to the microsecond."""
    second, fraction, zone = (part.decode() if part else "" for part in found.groups())
    return datetime.fromisoformat(f"{second}{fraction[:7]}{'+00:00' if zone == 'Z' else zone}")
