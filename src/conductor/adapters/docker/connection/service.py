"""Podman's API service, started by Conductor itself where no socket is there.

Law: one service for each state folder, whoever asks first (a file lock decides); it lives in a session of its own, outlives Conductor,
and ends by itself when nobody has had a connection for `IDLE`. A log that is followed is a connection. Containers do not need it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from conductor.adapters.docker.connection.machine import configuration, look
from conductor.errors import StateError, UnreachableError

IDLE = timedelta(minutes=2)
START_TIMEOUT = timedelta(seconds=30)
PING_TIMEOUT = timedelta(seconds=5)
LONGEST_SOCKET_PATH = 100
"""Of 108 bytes that unix(7) allows, terminator and a margin off."""

_DETACHED = 'cd / && "$@" </dev/null >"$CONDUCTOR_SERVICE_LOG" 2>&1 & echo $!'


class PodmanService:
    """The service of one state folder."""

    def __init__(self, state_folder: Path) -> None:
        self._folder = state_folder / "podman"
        self._socket = socket_path(self._folder)

    @property
    def url(self) -> str:
        """Where it answers, once it runs."""
        return f"unix://{self._socket}"

    async def ensure(self) -> str:
        """Return the address of the running service; start it where it does not answer. Raises `UnreachableError`."""
        if await answers(self._socket):
            return self.url
        podman = shutil.which("podman")
        if podman is None:
            raise UnreachableError(
                "no container engine was found: there is no Docker or Podman socket, and no podman program",
                remedy="Install Docker or Podman, or name the engine's socket in DOCKER_HOST.",
            )
        self._make_folders()
        async with _locked(self._folder / "lock"):
            if not await answers(self._socket):
                await self._start(podman)
        return self.url

    def _make_folders(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(
                f"{self._folder} cannot be made: {error.strerror}",
                remedy="Choose a state folder that you may write to.",
            ) from None

    async def _start(self, podman: str) -> None:
        self._socket.unlink(missing_ok=True)  # nobody answers there: it is stale
        command = [podman, "system", "service", f"--time={int(IDLE.total_seconds())}", self.url]
        pid = int(await asyncio.to_thread(_spawn, command, self._environment()))
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT.total_seconds()
        while not await answers(self._socket):
            if not _lives(pid) or asyncio.get_running_loop().time() > deadline:
                raise UnreachableError(
                    f"Podman's API service did not start: {self._last_words() or 'it said nothing'}",
                    remedy="Run `podman info`; `conductor doctor` looks at the usual reasons.",
                )
            await asyncio.sleep(0.02)

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ, CONDUCTOR_SERVICE_LOG=str(self._log))
        environment.pop("DOCKER_HOST", None)
        text = configuration(look())
        if text and "CONTAINERS_CONF" not in os.environ:
            file = self._folder / "containers.conf"
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                replacement = file.with_suffix(".new")
                replacement.write_text(text, encoding="utf-8")
                replacement.replace(file)
            environment["CONTAINERS_CONF"] = str(file)
        return environment

    @property
    def _log(self) -> Path:
        return self._folder / "service.log"

    def _last_words(self) -> str:
        try:
            return " ".join(self._log.read_text(encoding="utf-8", errors="replace").split())[-500:]
        except OSError:
            return ""


def socket_path(folder: Path) -> Path:
    """Return where the socket of this folder is: in it, or, where that path is too long for a socket, in a private folder."""
    wanted = folder / "podman.sock"
    if len(os.fsencode(wanted)) <= LONGEST_SOCKET_PATH:
        return wanted
    runtime = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    key = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(runtime) / f"conductor-{os.getuid()}-{key}" / "podman.sock"


async def answers(socket: Path) -> bool:
    """Tell whether an engine answers on this socket; a file left by a dead one does not."""
    if not await asyncio.to_thread(socket.exists):
        return False
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(PING_TIMEOUT.total_seconds()):
            return b" 200 " in await _ping(socket)
    return False


async def _ping(socket: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        writer.write(b"GET /_ping HTTP/1.0\r\nHost: localhost\r\n\r\n")
        await writer.drain()
        return await reader.readline()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _spawn(command: list[str], environment: dict[str, str]) -> str:
    """Start it in a session of its own, as nobody's child: it must not die with us, nor stay a zombie of ours."""
    shell = ["/bin/sh", "-c", _DETACHED, "sh", *command]
    done = subprocess.run(
        shell,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        check=True,
    )
    return done.stdout.decode().strip()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextlib.asynccontextmanager
async def _locked(file: Path) -> AsyncIterator[None]:
    handle = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        async with asyncio.timeout((START_TIMEOUT * 2).total_seconds()):
            while not _try_lock(handle):  # noqa: ASYNC110 -- another process holds it: there is no event to wait for
                await asyncio.sleep(0.02)
    except TimeoutError:
        os.close(handle)
        raise UnreachableError(
            f"another process has been starting Podman's service for too long: it holds {file}",
            remedy="End that process, then try again.",
        ) from None
    try:
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
