"""A container's log as a kubelet keeps it, and the options with which it is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

from tests.kubernetes.fake_api import times


@dataclass(frozen=True, slots=True)
class Line:
    at: int
    """Nanoseconds since 1970."""
    stream: str
    text: bytes
    """With the line feed at its end, where the container wrote one."""


@dataclass
class Log:
    lines: list[Line] = field(default_factory=list)
    is_over: bool = False
    _readers: set[asyncio.Event] = field(default_factory=set)

    def write(self, stream: str, text: bytes) -> None:
        self.lines.append(Line(times.nanoseconds(), stream, text))
        self._tell()

    def close(self) -> None:
        self.is_over = True
        self._tell()

    def _tell(self) -> None:
        for reader in self._readers:
            reader.set()

    async def read(self, *, start: int, follow: bool) -> AsyncGenerator[Line]:
        """Yield lines from a number on; with `follow` until the container has ended."""
        changed = asyncio.Event()
        self._readers.add(changed)
        try:
            while True:
                changed.clear()
                while start < len(self.lines):
                    yield self.lines[start]
                    start += 1
                if not follow or self.is_over:
                    return
                await changed.wait()
        finally:
            self._readers.discard(changed)


async def reading(log: Log, options: Mapping[str, str]) -> AsyncGenerator[bytes]:
    """Yield the text of a log as the options of `pods/log` ask for it."""
    first = _first(log, options)
    left = int(options["limitBytes"]) if options.get("limitBytes") else None
    async for line in log.read(start=first, follow=options.get("follow") == "true"):
        stamp = f"{times.nano(line.at)} ".encode() if options.get("timestamps") == "true" else b""
        text = (stamp + line.text)[:left]
        if text:
            yield text
        if left is not None and (left := left - len(text)) <= 0:
            return


def _first(log: Log, options: Mapping[str, str]) -> int:
    """Find the line to begin with. The API server passes `sinceTime` on in whole seconds, and its moment is included."""
    start = 0
    if options.get("sinceTime"):
        since = times.read(options["sinceTime"]) // 10**9 * 10**9
        start = next((n for n, line in enumerate(log.lines) if line.at >= since), len(log.lines))
    if options.get("sinceSeconds"):
        since = times.nanoseconds() - int(options["sinceSeconds"]) * 10**9
        start = next((n for n, line in enumerate(log.lines) if line.at >= since), len(log.lines))
    if options.get("tailLines"):
        start = max(start, len(log.lines) - int(options["tailLines"]))
    return start
