"""Containers without a container engine: processes of this machine in mount and process namespaces of their own.

The root folder is made of an image's folder and of mounts; process 1 has a container's signal semantics (without a handler SIGTERM does
nothing), and its end is the end of all. What is not played: users, network namespaces (all pods share this machine's), cgroups.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.kubernetes.fake_api.logs import Log

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LINE = 16 * 1024
"""Longer lines are written in pieces, as container runtimes do."""
_DEVICES = ("null", "zero", "full", "random", "urandom")
_MESSAGE_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that is on the node: a folder of its files, and its configuration."""

    root: Path | None = None
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_dir: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Mount:
    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to run."""

    image: Image
    command: Sequence[str]
    environment: Mapping[str, str]
    working_dir: str
    mounts: Sequence[Mount] = ()
    message_path: str = "/dev/termination-log"


class CannotStartError(Exception):
    """The container could not be started; the text is the runtime's."""


class Command(Protocol):
    """A command beside the container's own. Reading ends with b""."""

    async def read(self, stream: str) -> bytes: ...
    async def write(self, data: bytes) -> None: ...
    async def end_input(self) -> None: ...
    async def wait(self) -> int: ...
    async def kill(self) -> None: ...


class Running(Protocol):
    """A container that was started. `message` is what it left for the kubelet."""

    log: Log

    async def wait(self) -> int: ...
    async def kill(self) -> None: ...
    def signal(self, number: int) -> None: ...
    async def exec(self, command: Sequence[str], *, stdin: bool = False) -> Command: ...
    def message(self) -> str: ...
    def remove(self) -> None: ...


class Runtime(Protocol):
    async def start(self, wanted: Wanted, folder: Path) -> Running: ...


def can_run() -> bool:
    """Tell whether this machine lets us make namespaces."""
    if not all(map(shutil.which, ("unshare", "nsenter", "busybox"))):
        return False
    tried = [*_unshare(), "sh", "-c", "mount -t proc proc /proc"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


def _unshare() -> list[str]:
    own_user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *own_user, "--mount", "--pid", "--fork", "--kill-child", "--"]


class Processes:
    """Runs containers as processes."""

    async def start(self, wanted: Wanted, folder: Path) -> ProcessContainer:
        root = (folder / "root").resolve()
        await asyncio.to_thread(_lay_out, wanted, root)
        _refuse(wanted, root)
        script = "; ".join([*_mounting(wanted, root), 'exec busybox env -i "$@"'])
        entering = [_program("unshare"), f"--root={root}", f"--wd={wanted.working_dir or '/'}"]
        process = await asyncio.create_subprocess_exec(
            *_unshare(), "busybox", "sh", "-c", script, "sh", *_variables(wanted), *entering, "--", *wanted.command,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        container = ProcessContainer(process, wanted, root)
        try:
            await container.begun()
        except asyncio.CancelledError:
            await container.kill()
            raise
        return container


def _program(name: str) -> str:
    return str(shutil.which(name))


def _variables(wanted: Wanted) -> list[str]:
    found = {"PATH": PATH, "HOME": "/root", **wanted.image.environment, **wanted.environment}
    return [f"{name}={value}" for name, value in found.items()]


def _lay_out(wanted: Wanted, root: Path) -> None:
    for name in ("bin", "dev", "etc", "proc", "root", "tmp", "run", "work", wanted.working_dir.strip("/")):
        (root / name).mkdir(parents=True, exist_ok=True)
    for device in _DEVICES:
        (root / "dev" / device).touch()
    message = root / wanted.message_path.strip("/")
    message.parent.mkdir(parents=True, exist_ok=True)
    message.touch()
    for entry in wanted.image.root.iterdir() if wanted.image.root else ():
        if entry.name != "bin":
            shutil.copytree(entry, root / entry.name, dirs_exist_ok=True, symlinks=True)
    for mount in wanted.mounts:
        target = root / mount.target.strip("/")
        if mount.source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()


def _mounting(wanted: Wanted, root: Path) -> list[str]:
    pairs = [(Path("/dev") / device, f"/dev/{device}", False) for device in _DEVICES]
    if wanted.image.root:
        pairs.append((wanted.image.root / "bin", "/bin", True))
    pairs += [(m.source, m.target, m.read_only) for m in sorted(wanted.mounts, key=lambda m: m.target)]
    steps = ["set -e"]
    for source, target, read_only in pairs:
        place = shlex.quote(str(root / target.strip("/")))
        steps.append(f"mount --bind {shlex.quote(str(source))} {place}")
        if read_only:
            steps.append(f"mount -o remount,bind,ro {place} {place}")
    return [*steps, f"mount -t proc proc {shlex.quote(str(root / 'proc'))}"]


def _refuse(wanted: Wanted, root: Path) -> None:
    """Say that the program is not in the image, as runc does."""
    if not wanted.command:
        raise CannotStartError("failed to create containerd container: no command specified")
    program = wanted.command[0]
    search = {**wanted.image.environment, **wanted.environment}.get("PATH", PATH)
    places = [program] if "/" in program else [f"{folder}/{program}" for folder in search.split(":")]
    if any(os.path.lexists(_outside(place, wanted, root)) for place in places):
        return
    quoted = f'"{program}"'
    why = (
        f"stat {program}: no such file or directory"
        if "/" in program
        else "executable file not found in $PATH"
    )
    raise CannotStartError(
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start "
        f"container process: exec: {quoted}: {why}"
    )


def _outside(path: str, wanted: Wanted, root: Path) -> Path:
    """Work out where on this machine a path of the container is."""
    absolute = os.path.normpath(Path(wanted.working_dir or "/") / path)
    for mount in sorted(wanted.mounts, key=lambda m: len(m.target), reverse=True):
        if absolute == mount.target or absolute.startswith(mount.target.rstrip("/") + "/"):
            return mount.source / absolute[len(mount.target) :].strip("/")
    if wanted.image.root and absolute.startswith("/bin/"):
        return wanted.image.root / absolute.strip("/")
    return root / absolute.strip("/")


class ProcessContainer:
    def __init__(self, process: asyncio.subprocess.Process, wanted: Wanted, root: Path) -> None:
        self.log = Log()
        self._process = process
        self._wanted = wanted
        self._root = root
        self._readers = asyncio.gather(
            self._copy("stdout", process.stdout), self._copy("stderr", process.stderr)
        )

    async def begun(self) -> None:
        """Wait until process 1 is the command itself: before that it has another root."""
        while self._process.returncode is None and not self._is_inside():  # noqa: ASYNC110 -- the kernel tells nobody
            await asyncio.sleep(0.002)

    def _is_inside(self) -> bool:
        inside = self._first_process()
        try:
            is_there = str(Path(f"/proc/{inside}/root").readlink()) == str(self._root)
            return is_there and Path(f"/proc/{inside}/comm").read_text() != "unshare\n"
        except OSError:
            return False

    async def wait(self) -> int:
        code = await self._process.wait()
        await self._readers
        self.log.close()
        return code if code >= 0 else 128 - code

    async def kill(self) -> None:
        """End it, and wait until the kernel has seen it go."""
        self.signal(signal.SIGKILL)
        await self._process.wait()
        await asyncio.gather(self._readers, return_exceptions=True)

    def signal(self, number: int) -> None:
        """Send a signal to process 1."""
        with suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                self._process.kill()
            elif (inside := self._first_process()) is not None:
                os.kill(inside, number)

    def _first_process(self) -> int | None:
        pid = self._process.pid
        with suppress(OSError, IndexError):
            return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        return None

    async def exec(self, command: Sequence[str], *, stdin: bool = False) -> ProcessCommand:
        inside = self._first_process()
        if inside is None:
            raise CannotStartError("container not running")
        _refuse_command(command, self._wanted, self._root)
        own_user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        entering = ["nsenter", *own_user, "--target", str(inside), "--mount", "--pid", "--root", "--wd", "--"]
        process = await asyncio.create_subprocess_exec(
            _program("busybox"), "env", "-i", *_variables(self._wanted), _program(entering[0]), *entering[1:], *command,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        return ProcessCommand(process)

    def message(self) -> str:
        try:
            return (
                (self._root / self._wanted.message_path.strip("/"))
                .read_bytes()[:_MESSAGE_BYTES]
                .decode(errors="replace")
            )
        except OSError:
            return ""

    def remove(self) -> None:
        shutil.rmtree(self._root, ignore_errors=True)

    async def _copy(self, stream: str, reader: asyncio.StreamReader | None) -> None:
        rest = b""
        assert reader is not None
        while data := await reader.read(65536):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self.log.write(stream, line + b"\n")
            while len(rest) >= _LINE:
                self.log.write(stream, rest[:_LINE])
                rest = rest[_LINE:]
        if rest:
            self.log.write(stream, rest)


def _refuse_command(command: Sequence[str], wanted: Wanted, root: Path) -> None:
    try:
        _refuse(Wanted(**{**vars(wanted), "command": command}), root)
    except CannotStartError as error:
        why = str(error).partition("container process: ")[2]
        raise CannotStartError(
            "failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: "
            f"{why}: unknown"
        ) from None


class ProcessCommand:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def read(self, stream: str) -> bytes:
        reader = self._process.stdout if stream == "stdout" else self._process.stderr
        return await reader.read(32768) if reader else b""

    async def write(self, data: bytes) -> None:
        if self._process.stdin:
            with suppress(ConnectionError):
                self._process.stdin.write(data)
                await self._process.stdin.drain()

    async def end_input(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()

    async def wait(self) -> int:
        code = await self._process.wait()
        return code if code >= 0 else 128 - code

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
