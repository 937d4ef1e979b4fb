"""One log file: a line is `2026-11-23T12:00:00.123456Z stdout text`, ended by a newline.

Law: a line that has no newline yet is not there: a writer that was killed left it, and the next writer cuts it off.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

from conductor.domain.report import LogLine

_BLOCK_BYTES = 1 << 16
_STAMP_BYTES = len("2026-11-23T12:00:00.123456Z")
_HEAD_BYTES = 64
"""Enough for time and stream."""


def encode(line: LogLine) -> list[bytes]:
    """Write a line; line ends within its text make several of one time."""
    head = f"{_stamp(line.at)} {'-'.join(line.stream.split()) or 'stdout'} "
    texts = line.text.removesuffix("\n").split("\n")
    return [f"{head}{text}\n".encode(errors="replace") for text in texts]


def decode(workload: str, record: bytes) -> LogLine | None:
    """Read a line without its newline; None where it is none of ours."""
    at = time_of(record)
    if at is None:
        return None
    _, stream, text = record.decode(errors="replace").split(" ", 2)
    return LogLine(workload=workload, at=at, text=text, stream=stream)


def time_of(record: bytes) -> datetime | None:
    """Read only the time of a line; None where it is none of ours."""
    if record[_STAMP_BYTES : _STAMP_BYTES + 1] != b" " or record.find(b" ", _STAMP_BYTES + 1) < 0:
        return None
    try:
        return datetime.fromisoformat(record[:_STAMP_BYTES].decode())
    except ValueError:
        return None


def whole_bytes(file: int) -> int:
    """Return the offset after the last newline: as far as the file can be trusted."""
    end = os.fstat(file).st_size
    while end:
        start = max(0, end - _BLOCK_BYTES)
        found = os.pread(file, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def forward(file: int, start: int = 0) -> Iterator[bytes]:
    """Yield whole lines from an offset at which a line begins, up to what is there now."""
    rest = b""
    while block := os.pread(file, max(_BLOCK_BYTES, len(rest)), start):
        start += len(block)
        *whole, rest = (rest + block).split(b"\n")
        yield from whole


def backward(file: int) -> Iterator[bytes]:
    """Yield whole lines, the last one first."""
    end = whole_bytes(file) - 1
    if end < 0:
        return
    rest = b""
    while end > 0:
        start = max(0, end - max(_BLOCK_BYTES, len(rest)))
        rest, *whole = (os.pread(file, end - start, start) + rest).split(b"\n")
        yield from reversed(whole)
        end = start
    yield rest


def offset_before(file: int, since: datetime) -> int:
    """Return where a line begins that has none later than `since` before it, by halving: near the first later one."""
    low, high = 0, whole_bytes(file)
    while high - low > _BLOCK_BYTES:
        middle = (low + high) // 2
        start = _next_line(file, middle, high)
        at = time_of(os.pread(file, _HEAD_BYTES, start)) if start < high else None
        if at is not None and at <= since:
            low = start
        else:
            high = middle
    return low


def _next_line(file: int, offset: int, end: int) -> int:
    while offset < end:
        found = os.pread(file, _BLOCK_BYTES, offset).find(b"\n")
        if found >= 0:
            return offset + found + 1
        offset += _BLOCK_BYTES
    return end


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
