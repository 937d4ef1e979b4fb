"""From what engines write to whole lines: pure. Two forms: the API's frames, and the file that Podman keeps for each container.

Frames are chunks and not lines: a long line comes in parts, each with a time of its own (Docker: 16 KiB, Podman: 8 KiB). Podman 4.3 cuts
the API's times to seconds, its file has nanoseconds (both tried).
Law: no two lines of a container have the same time, so that "strictly after" loses none and repeats none: a line that the engine gave
the time of the one before it comes a microsecond later. Reading may begin at any whole second.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from datetime import datetime, timedelta

from conductor.adapters.docker.watching.states import moment
from conductor.domain.report import LogLine

HEADER = struct.Struct(">BxxxL")
STREAMS = {1: "stdout", 2: "stderr"}
LONGEST_LINE = 2**20
"""Bytes; what is longer is cut into lines."""
_TIME = re.compile(rb"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) ?")
_MICROSECOND = timedelta(microseconds=1)


class Lines:
    """Makes lines of timed parts; one for each container."""

    def __init__(self, workload: str) -> None:
        self._workload = workload
        self._parts: dict[str, tuple[datetime, bytearray]] = {}
        self._engine_time: datetime | None = None
        self._given: datetime | None = None

    def add(self, stream: str, at: datetime, text: bytes, *, whole: bool) -> Iterator[LogLine]:
        """Take a part of a line; yield the line when it is whole. It has the time of its first part."""
        began, buffer = self._parts.pop(stream, (at, bytearray()))
        buffer += text
        if whole or len(buffer) >= LONGEST_LINE:
            yield self._line(stream, began, bytes(buffer))
        else:
            self._parts[stream] = (began, buffer)

    def rest(self) -> Iterator[LogLine]:
        """Yield what was begun and never ended."""
        for stream, (began, buffer) in sorted(self._parts.items()):
            yield self._line(stream, began, bytes(buffer))
        self._parts.clear()

    def _line(self, stream: str, at: datetime, text: bytes) -> LogLine:
        same = self._engine_time == at
        given = self._given + _MICROSECOND if same and self._given else at
        self._engine_time, self._given = at, given
        written = text.removesuffix(b"\n").removesuffix(b"\r").decode(errors="replace")
        return LogLine(workload=self._workload, at=given, text=written, stream=stream)


class Frames:
    """Reads the body of `GET /containers/{id}/logs?timestamps=1`, however it is cut."""

    def __init__(self, lines: Lines, *, tty: bool) -> None:
        self._lines = lines
        self._tty = tty
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[LogLine]:
        """Take bytes; yield the lines that are whole."""
        self._buffer += chunk
        yield from self._feed_terminal() if self._tty else self._feed_frames()

    def rest(self) -> Iterator[LogLine]:
        """Yield what is left at the end of the body."""
        if self._tty and self._buffer:
            yield from self._entry("stdout", bytes(self._buffer))
        yield from self._lines.rest()

    def _feed_frames(self) -> Iterator[LogLine]:
        while len(self._buffer) >= HEADER.size:
            number, length = HEADER.unpack_from(self._buffer)
            if len(self._buffer) < HEADER.size + length:
                return
            payload = bytes(self._buffer[HEADER.size : HEADER.size + length])
            del self._buffer[: HEADER.size + length]
            for piece in payload.splitlines(keepends=True) if payload.count(b"\n") > 1 else [payload]:
                yield from self._entry(STREAMS.get(number, "stdout"), piece)

    def _feed_terminal(self) -> Iterator[LogLine]:
        """Cut at line ends: a terminal's output has no frames."""
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[: end + 1])
            del self._buffer[: end + 1]
            yield from self._entry("stdout", line)

    def _entry(self, stream: str, entry: bytes) -> Iterator[LogLine]:
        found = _TIME.match(entry)
        at = moment(found.group(1).decode()) if found else None
        if found is None or at is None:
            return
        yield from self._lines.add(stream, at, entry[found.end() :], whole=entry.endswith(b"\n"))


class FileEntries:
    """Reads Podman's k8s-file: `<time> <stream> <P|F> <text>` (F ends a line, P goes on)."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[LogLine]:
        """Take bytes; yield the lines that are whole."""
        self._buffer += chunk
        *entries, rest = bytes(self._buffer).split(b"\n")
        self._buffer[:] = rest
        for entry in entries:
            fields = entry.split(b" ", 3)
            at = moment(fields[0].decode(errors="replace")) if _TIME.match(entry) else None
            if at is not None and len(fields) >= 3:  # noqa: PLR2004 -- time, stream, tag
                text = fields[3] if len(fields) > 3 else b""  # noqa: PLR2004
                yield from self._lines.add(
                    fields[1].decode(errors="replace"), at, text, whole=fields[2] == b"F"
                )

    def rest(self) -> Iterator[LogLine]:
        """Yield what is left at the end of the file."""
        return self._lines.rest()
