"""Containers without processes: what a command would do is read from its words, as the fake engine does.

For what has to be quick and many: five hundred at once. Nothing has a file system.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

from conductor.adapters.fake.shell import FOREVER, Course, play
from tests.kubernetes.fake_api.containers import Wanted
from tests.kubernetes.fake_api.logs import Log


class Played:
    """Runs containers by playing their commands. `pace`: real seconds for each second that a command takes."""

    def __init__(self, pace: float = 1.0) -> None:
        self.pace = pace

    async def start(self, wanted: Wanted, folder: Path) -> PlayedContainer:
        return PlayedContainer(play(wanted.command, wanted.environment), self.pace, wanted)


class PlayedContainer:
    def __init__(self, course: Course, pace: float, wanted: Wanted) -> None:
        self.log = Log()
        self._wanted = wanted
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._playing = asyncio.create_task(self._play(course, pace))

    async def _play(self, course: Course, pace: float) -> None:
        now = 0.0
        for at, stream, text in course.lines:
            await asyncio.sleep((at - now) * pace)
            now = at
            self.log.write(stream, text.encode() + b"\n")
        if course.seconds == FOREVER:
            return
        await asyncio.sleep((course.seconds - now) * pace)
        self._end(course.exit_code)

    def _end(self, code: int) -> None:
        if not self._ended.done():
            self._ended.set_result(code)
            self.log.close()

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        self._playing.cancel()
        self._end(128 + (signal.SIGKILL if number == signal.SIGKILL else signal.SIGTERM))

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)

    async def exec(self, command: Sequence[str], *, stdin: bool = False) -> PlayedCommand:
        return PlayedCommand(play(command, self._wanted.environment))

    def message(self) -> str:
        return ""

    def remove(self) -> None:
        self._playing.cancel()


class PlayedCommand:
    def __init__(self, course: Course) -> None:
        self._course = course
        self._left = {
            name: "".join(f"{text}\n" for _, stream, text in course.lines if stream == name).encode()
            for name in ("stdout", "stderr")
        }

    async def read(self, stream: str) -> bytes:
        found, self._left[stream] = self._left[stream], b""
        return found

    async def write(self, data: bytes) -> None:
        """Nothing reads it."""

    async def end_input(self) -> None:
        """Nothing reads it."""

    async def wait(self) -> int:
        return self._course.exit_code

    async def kill(self) -> None:
        """It is over already."""
