"""The processes of one state folder, by the locks that they hold: what `Executors` is on SQLite.

Law: every process holds a lock on `executors/<id>.lock` for as long as it lives; the system
takes the lock away when the process dies, however it dies. A lock that is free, or gone, is the only sign that its owner is dead.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import socket
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from conductor.durable.executors import at_work, fresh_id
from conductor.errors import StateError

_TRIES = 25
_BETWEEN_TRIES_SECONDS = 0.02
"""A look at a lock holds it for an instant: who takes over tries again for half a second."""


class Locks:
    """The processes of one state folder, by their locks. One that holds its lock has lost nothing: the system takes no lock away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "executors"
        self._state = folder
        self._held: int | None = None
        self.own = ""

    def enter(self, name: str | None = None) -> str:
        """Become one of them under a fresh id, which begins with `name` or the machine's."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            while self._held is None:
                self.own = fresh_id(name)
                self._held = self._try(self.own, fcntl.LOCK_EX, create=True)
            os.write(self._held, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        except OSError as error:
            raise _unusable(self._folder, error) from error
        return self.own

    def leave(self) -> None:
        """Let go of the lock; what is not ended may be taken over from now on."""
        if self._held is not None:
            with suppress(FileNotFoundError):
                self._path(self.own).unlink()
            os.close(self._held)
            self._held = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes out while the database is made or changed."""
        self._state.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._state / "launch.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def is_lost(self) -> bool:
        """Say no."""
        return False

    async def living(self, ids: Collection[str]) -> frozenset[str]:
        """Return which of them still run."""
        return frozenset(executor for executor in ids if self._is_alive(executor))

    async def describe(self, executor: str) -> str:
        """Say who that is, for people."""
        try:
            told = json.loads(self._path(executor).read_text())
        except (OSError, ValueError):
            return f"executor {executor}"
        return f"process {told.get('pid')} on {told.get('host')}"

    def _is_alive(self, executor: str) -> bool:
        descriptor = self._try(executor, fcntl.LOCK_SH, create=False)
        if descriptor is None:
            return self._path(executor).exists()
        os.close(descriptor)
        return False

    @asynccontextmanager
    async def takeover(self, executor: str) -> AsyncIterator[None]:
        """Hold a dead process's lock, so that only one takes its work. `ConflictError` where it lives, or another is at it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for _ in range(_TRIES):
            descriptor = self._try(executor, fcntl.LOCK_EX, create=True)
            if descriptor is not None:
                break
            await asyncio.sleep(_BETWEEN_TRIES_SECONDS)
        else:
            raise at_work(await self.describe(executor))
        try:
            yield
        finally:
            with suppress(FileNotFoundError):
                self._path(executor).unlink()
            os.close(descriptor)

    async def sweep(self) -> None:
        """Remove the locks of dead processes."""
        for path in self._folder.glob("*.lock"):
            descriptor = self._try(path.stem, fcntl.LOCK_EX, create=False)
            if descriptor is not None:
                with suppress(FileNotFoundError):
                    path.unlink()
                os.close(descriptor)

    def _try(self, executor: str, how: int, *, create: bool) -> int | None:
        """Lock without waiting; None where that is taken, or nothing there. A file that was removed meanwhile is no lock."""
        try:
            descriptor = os.open(self._path(executor), os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(self._folder, error) from error
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino == self._path(executor).stat().st_ino:
                return descriptor
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(descriptor)
        return None

    def _path(self, executor: str) -> Path:
        return self._folder / f"{executor}.lock"


def _unusable(folder: Path, error: OSError) -> StateError:
    return StateError(
        f"using the state folder {folder}: {error.strerror}",
        remedy="Make it writable, free disk space, or name another one (CONDUCTOR_STATE).",
    )
