"""What a job leaves behind: the files that its globs name, streamed out of the ended container, filtered, and put in one archive."""

from __future__ import annotations

import asyncio
import io
import posixpath
import re
import tarfile
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import IO

from conductor.adapters.docker.connection.client import Client, reaching
from conductor.errors import NotFoundError
from conductor.ports.engine import PARTIAL_ENTRY

LIMIT_BYTES = 512 * 2**20
CHUNK = 2**16
AT_ONCE = 4
"""Archives that the engine is asked for side by side: Podman starts a process for each, 0.1 s until its first byte (4.3.1: seen)."""
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """One glob: the folder or file to ask the engine for, and which of its paths are meant. All absolute."""

    root: str
    pattern: re.Pattern[str]


def wanted(glob: str, working_dir: str) -> Wanted:
    """Read a report's or artifact's glob, relative to the working directory.

    >>> wanted("reports/**/*.xml", "/app").root
    '/app/reports'
    >>> bool(wanted("coverage/", "/app").pattern.fullmatch("/app/coverage/index.html"))
    True
    """
    path = posixpath.normpath(posixpath.join(working_dir or "/", glob))
    path = "/" + path.lstrip("/")
    parts = path.split("/")
    plain = next((index for index, part in enumerate(parts) if _WILD.search(part)), None)
    root = path if plain is None else "/".join(parts[:plain]) or "/"
    return Wanted(root=root, pattern=re.compile(_expression(path) + "(?:/.*)?", re.DOTALL))


def roots(globs: Sequence[Wanted]) -> list[str]:
    """List what to ask the engine for: each folder once, none below another."""
    found: list[str] = []
    for root in sorted({glob.root for glob in globs}):
        if not any(root == above or root.startswith(above.rstrip("/") + "/") for above in found):
            found.append(root)
    return found


def entry_name(path: str, working_dir: str) -> str:
    """Name an entry of the archive: relative to the working directory where it is below it, else its path without the first slash.

    >>> entry_name("/app/reports/a.xml", "/app"), entry_name("/tmp/a.xml", "/app")
    ('reports/a.xml', 'tmp/a.xml')
    """
    below = working_dir.rstrip("/") + "/"
    return path[len(below) :] if path.startswith(below) else path.lstrip("/")


async def collect(
    client: Client, container: str, globs: Sequence[str], working_dir: str, *, limit_bytes: int
) -> AsyncGenerator[bytes, None]:
    """Yield a tar archive of what the globs match."""
    meant = [wanted(glob, working_dir) for glob in globs]
    with tempfile.TemporaryFile() as spool:
        picked = Picked(
            archive=tarfile.open(fileobj=spool, mode="w"),  # noqa: SIM115 -- `finish` closes it
            meant=meant,
            working_dir=working_dir,
            limit_bytes=limit_bytes,
        )
        asked = roots(meant)
        for start in range(0, len(asked), AT_ONCE):
            await _pick(client, container, asked[start : start + AT_ONCE], picked)
        await asyncio.to_thread(picked.finish)
        spool.seek(0)
        while chunk := spool.read(CHUNK):
            yield chunk


@dataclass(kw_only=True, slots=True)
class Picked:
    """The archive that is being made. Law: what is over the limit is left out, and named in `PARTIAL_ENTRY`."""

    archive: tarfile.TarFile
    meant: Sequence[Wanted]
    working_dir: str
    limit_bytes: int
    bytes_taken: int = 0
    left_out: list[str] = field(default_factory=list)

    def take_from(self, stream: IO[bytes], root: str) -> None:
        """Read the engine's archive of `root` and take what is meant."""
        parent = posixpath.dirname(root.rstrip("/")) if root != "/" else ""
        with tarfile.open(fileobj=stream, mode="r|") as source:
            for member in source:
                name = posixpath.normpath(member.name.lstrip("/"))
                path = f"{parent.rstrip('/')}/{name}"
                if not member.isdir() and any(glob.pattern.fullmatch(path) for glob in self.meant):
                    self._take(source, member, path)

    def finish(self) -> None:
        """Say what is missing, and end the archive."""
        if self.left_out:
            text = "".join(f"{line}\n" for line in self.left_out).encode()
            entry = tarfile.TarInfo(PARTIAL_ENTRY)
            entry.size = len(text)
            self.archive.addfile(entry, io.BytesIO(text))
        self.archive.close()

    def _take(self, source: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        name = entry_name(path, self.working_dir)
        if self.bytes_taken + member.size > self.limit_bytes:
            self.left_out.append(f"{name}: {member.size} bytes would be over the limit of {self.limit_bytes}")
            return
        if not (member.isreg() or member.issym()):
            return
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime, entry.type, entry.linkname = (
            member.size, member.mode, member.mtime, member.type if member.issym() else tarfile.REGTYPE, member.linkname,
        )  # fmt: skip
        self.bytes_taken += member.size
        self.archive.addfile(entry, source.extractfile(member) if member.isreg() else None)


async def copy_out(client: Client, container: str, path: str) -> AsyncGenerator[bytes, None]:
    """Yield the engine's archive of a path. Raises `NotFoundError` where there is none."""
    with reaching(f"copying {path} out of {container}"):
        async with client.stream("GET", f"containers/{container}/archive", params={"path": path}) as response:
            async for chunk in response.content.iter_chunked(CHUNK):
                yield chunk


async def copy_in(client: Client, container: str, path: str, archive: bytes) -> None:
    """Unpack an archive in a container, running or not."""
    with reaching(f"copying into {path} of {container}"):
        async with client.stream(
            "PUT", f"containers/{container}/archive", params={"path": path}, data=_chunks(archive)
        ) as response:
            await response.read()


async def _chunks(archive: bytes) -> AsyncIterator[bytes]:
    """Cut an archive: the HTTP client warns of larger bodies in one piece, which would hold up the event loop."""
    for start in range(0, len(archive), CHUNK):
        yield archive[start : start + CHUNK]


async def _pick(client: Client, container: str, asked: Sequence[str], picked: Picked) -> None:
    loop = asyncio.get_running_loop()
    pipes = [_Pipe(loop, copy_out(client, container, root)) for root in asked]
    try:
        await asyncio.gather(*(pipe.open() for pipe in pipes))
        for root, pipe in zip(asked, pipes, strict=True):
            if not pipe.is_missing:
                await _take(pipe, root, picked)
    finally:
        await asyncio.gather(*(pipe.aclose() for pipe in pipes), return_exceptions=True)


async def _take(pipe: _Pipe, root: str, picked: Picked) -> None:
    try:
        await asyncio.to_thread(picked.take_from, pipe, root)  # type: ignore[arg-type]
    except tarfile.ReadError as error:
        if not pipe.is_empty:
            picked.left_out.append(
                f"{entry_name(root, picked.working_dir)}: the engine's archive ended too soon ({error})"
            )


class _Pipe:
    """Lets a thread read what the event loop receives."""

    def __init__(self, loop: asyncio.AbstractEventLoop, chunks: AsyncIterator[bytes]) -> None:
        self._loop = loop
        self._chunks = chunks
        self._buffer = bytearray()
        self._came = 0
        self.is_missing = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing came at all."""
        return self._came == 0

    async def open(self) -> None:
        """Wait for the first bytes, or for the answer that there are none to have."""
        try:
            self._take(await anext(self._chunks, b""))
        except NotFoundError:
            self.is_missing = True

    def _take(self, chunk: bytes) -> None:
        self._buffer += chunk
        self._came += len(chunk)

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end."""
        while len(self._buffer) < size and (chunk := self._next()):
            self._take(chunk)
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _next(self) -> bytes:
        async def following() -> bytes:
            return await anext(self._chunks, b"")

        return asyncio.run_coroutine_threadsafe(following(), self._loop).result()

    async def aclose(self) -> None:
        """Let go of the engine's answer."""
        await self._chunks.aclose()  # type: ignore[attr-defined]


def _expression(glob: str) -> str:
    """Translate a glob: `**/` any number of folders, `*` and `?` within one name, `[...]` as fnmatch(3)."""
    made, index = [], 0
    while index < len(glob):
        if glob.startswith("**/", index):
            made.append("(?:[^/]+/)*")
            index += 3
        elif glob.startswith("**", index):
            made.append(".*")
            index += 2
        elif glob[index] == "*":
            made.append("[^/]*")
            index += 1
        elif glob[index] == "?":
            made.append("[^/]")
            index += 1
        elif glob[index] == "[" and (end := glob.find("]", index + 2)) > 0:
            inside = glob[index + 1 : end].replace("\\", "\\\\")
            made.append(f"[{'^' + inside[1:] if inside.startswith('!') else inside}]")
            index = end + 1
        else:
            made.append(re.escape(glob[index]))
            index += 1
    return "".join(made)
