"""Archives that go into containers and come out of them, by `tar` in the container: the API has no other way."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import IO

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.manifests.test_job import COLLECTOR, TOOLS
from conductor.adapters.kubernetes.streams.execution import (
    NO_PROGRAM,
    Target,
    conversation,
    execute,
    exit_code,
)
from conductor.adapters.kubernetes.streams.sockets import STATUS, STDERR, STDOUT
from conductor.errors import NotFoundError, RefusedError
from conductor.ports.engine import PARTIAL_ENTRY

_NO_TAR = "Put tar into the image, or read the file with `conductor stacks exec`."
_BY_TOOLS = (f"{TOOLS}/busybox", "tar")
"""In the pods of test suites there is one, whatever is in the image."""


async def copy_in(client: Client, target: Target, path: str, archive: bytes) -> None:
    """Unpack an archive at `path`. NotFoundError where there is no such folder, RefusedError where the image has no tar."""
    for tar in (("tar",), _BY_TOOLS):
        done = await execute(client, target, [*tar, "xf", "-", "-C", path], stdin=archive)
        if done.exit_code == 0:
            return
        if done.exit_code != NO_PROGRAM:
            said = done.stderr.decode(errors="replace").strip()[-300:]
            raise NotFoundError(f"unpacking at {path} of {target}: {said}")
    raise RefusedError(f"copying into {target}: its image has no tar", remedy=_NO_TAR)


async def copy_out(client: Client, target: Target, path: str) -> AsyncGenerator[bytes, None]:
    """Yield an archive of `path`, as fast as it is taken. NotFoundError where there is none, RefusedError without tar."""
    folder, name = posixpath.split(path.rstrip("/") or "/")
    for tar in (("tar",), _BY_TOOLS):
        command = [*tar, "cf", "-", "-C", folder or "/", "--", name or "."]
        streaming = _streamed(client, target, command, doing=f"copying {path} out of {target}")
        try:
            async with aclosing(streaming) as chunks:
                async for chunk in chunks:
                    yield chunk
        except _NoProgramError:
            continue
        return
    raise RefusedError(f"copying {path} out of {target}: its image has no tar", remedy=_NO_TAR)


async def read_file(client: Client, target: Target, path: str) -> AsyncGenerator[bytes, None]:
    """Yield a file of a collector. NotFoundError where it cannot be read."""
    own = replace(target, container=COLLECTOR)
    async with aclosing(
        _streamed(client, own, ["/bin/busybox", "cat", path], doing=f"reading {path} of {target}")
    ) as chunks:
        async for chunk in chunks:
            yield chunk


class _NoProgramError(Exception):
    """The container has no such program: another may be tried."""


async def _streamed(
    client: Client, target: Target, command: Sequence[str], *, doing: str
) -> AsyncGenerator[bytes, None]:
    """Yield what a command writes, and raise what it complains of in the end."""
    complaint = bytearray()
    async with aclosing(conversation(client, target, command)) as messages:
        async for message in messages:
            if message.channel == STDOUT:
                yield message.data
            elif message.channel == STDERR:
                complaint += message.data[-1000:]
            elif message.channel == STATUS:
                code = exit_code(message.data, target, complaint)
                if code == NO_PROGRAM:
                    raise _NoProgramError
                if code:
                    raise NotFoundError(f"{doing}: {complaint.decode(errors='replace').strip()[-300:]}")


def repack(source: IO[bytes], made: IO[bytes], *, left: Sequence[str], limit_bytes: int) -> None:
    """Write a plain archive of a collector's: files and links by their names, and what is missing as `PARTIAL_ENTRY`.

    What a repository wrote may be damaged or hostile: nothing is unpacked, and nothing beyond the limit is read.
    """
    missing = list(left)
    with tarfile.open(fileobj=made, mode="w") as archive:
        try:
            with tarfile.open(fileobj=source, mode="r|gz") as found:
                _take(found, archive, missing, limit_bytes)
        except (tarfile.TarError, EOFError, OSError) as error:
            missing.append(f"the archive of reports and artifacts is damaged: {error}")
        if missing:
            text = "".join(f"{line}\n" for line in missing).encode()
            entry = tarfile.TarInfo(PARTIAL_ENTRY)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))


def _take(found: tarfile.TarFile, archive: tarfile.TarFile, missing: list[str], limit_bytes: int) -> None:
    taken = 0
    for member in found:
        name = posixpath.normpath(member.name.lstrip("/"))
        if (
            not (member.isreg() or member.issym())
            or name.startswith("../")
            or name in (".", "..", PARTIAL_ENTRY)
        ):
            continue
        if taken + member.size > limit_bytes:
            missing.append(f"{name}: {member.size} bytes would be over the limit of {limit_bytes}")
            continue
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime, entry.linkname = (
            member.size,
            member.mode,
            member.mtime,
            member.linkname,
        )
        entry.type = member.type if member.issym() else tarfile.REGTYPE
        taken += member.size
        archive.addfile(entry, found.extractfile(member) if member.isreg() else None)
