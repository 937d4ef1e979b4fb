"""Played containers that know a test Job: its suite is played behind the runner, and its collector gives what that wrote to be given.

What a suite writes is not played: every collector tells of one report with one test that passed.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from conductor.adapters.fake.shell import FOREVER, Course
from tests.kubernetes.fake_api.containers import Wanted
from tests.kubernetes.fake_api.played import Played, PlayedContainer

_REPORT = b'<testsuite name="load"><testcase name="runs"/></testsuite>'
_LINE = 4000


class PlayedSuites(Played):
    """Runs containers by playing their commands, those of test Jobs too."""

    async def start(self, wanted: Wanted, folder: Path) -> PlayedContainer:
        command = list(wanted.command)
        if "/bin/collect" in command:
            return PlayedCollector(Course(seconds=FOREVER), self.pace, wanted)
        while "--" in command:
            command = command[command.index("--") + 1 :]
        return await super().start(replace(wanted, command=command), folder)


class PlayedCollector(PlayedContainer):
    """Waits for its end, and then writes what a collector writes."""

    def signal(self, number: int) -> None:
        if not self.log.is_over:
            for line in _TRANSCRIPT:
                self.log.write("stdout", line)
        self._playing.cancel()
        self._end(0)


def _transcript() -> Iterator[bytes]:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("./reports/junit.xml")
        entry.size = len(_REPORT)
        tar.addfile(entry, io.BytesIO(_REPORT))
    packed = gzip.compress(archive.getvalue())
    text = base64.b64encode(packed)
    yield b"BEGIN\n"
    yield from (text[start : start + _LINE] + b"\n" for start in range(0, len(text), _LINE))
    yield f"END {len(packed)} {hashlib.sha256(packed).hexdigest()}\n".encode()


_TRANSCRIPT = tuple(_transcript())
