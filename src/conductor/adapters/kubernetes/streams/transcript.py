"""The log of a test pod's collector, read: pure. What it writes is said in `deploy/tools/collect`.

Law: an archive is whole, by its size and hash, or it is none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

LARGEST_BYTES = 32 * 2**20
"""A collector writes much less; what is longer is not ours."""


@dataclass(frozen=True, slots=True)
class Seal:
    """Size and SHA-256 of an archive."""

    size: int
    digest: str

    def is_of(self, data: bytes) -> bool:
        """Tell whether these bytes are the archive."""
        return len(data) == self.size and hashlib.sha256(data).hexdigest() == self.digest


@dataclass(slots=True)
class Transcript:
    """What has been read so far. `archive` is there once its END line is, and None where it came through damaged."""

    left: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    held: Seal | None = None
    archive: bytes | None = None
    is_over: bool = False
    never_started: bool = False
    _body: bytearray | None = None

    def take(self, line: bytes) -> None:
        """Read one line."""
        word, _, text = line.partition(b" ")
        if self.is_over:
            return
        match word:
            case b"BEGIN":
                self._body = bytearray()
            case b"END":
                self.is_over = True
                self.archive = self._decoded(_seal(text))
            case b"NONE":
                self.is_over = self.never_started = True
            case b"HELD":
                self.held = _seal(text)
            case b"LEFT":
                self.left.append(text.decode(errors="replace"))
            case b"REST":
                self.rest.append(text.decode(errors="replace"))
            case _ if self._body is not None and len(self._body) <= LARGEST_BYTES:
                self._body += line

    def _decoded(self, seal: Seal | None) -> bytes | None:
        try:
            data = base64.b64decode(bytes(self._body or b""), validate=True)
        except binascii.Error:
            return None
        return data if seal and seal.is_of(data) else None


def transcript(text: str) -> Transcript:
    """Read a whole transcript, such as a termination message."""
    made = Transcript()
    for line in text.encode().split(b"\n"):
        made.take(line)
    return made


class LineFeed:
    """Cuts bytes, however they come, into lines without their ends."""

    def __init__(self) -> None:
        self._begun = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take bytes; yield the lines that are whole."""
        self._begun += chunk
        *lines, rest = self._begun.split(b"\n")
        self._begun = bytearray(rest)
        yield from (bytes(line) for line in lines)

    def rest(self) -> Iterable[bytes]:
        """Return what was begun and never ended."""
        return (bytes(self._begun),) if self._begun else ()


def _seal(text: bytes) -> Seal | None:
    size, _, digest = text.decode(errors="replace").partition(" ")
    return Seal(int(size), digest.strip()) if size.isdecimal() else None
