"""Where a container's log comes from: Podman's own file where this machine has it, because its times are exact; else the API."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import aiodocker

from conductor.adapters.docker.connection.client import Client, reaching
from conductor.adapters.docker.execution import belongs
from conductor.adapters.docker.logs.lines import FileEntries, Frames, Lines
from conductor.adapters.docker.watching.processes import SOON, until_over
from conductor.domain.report import LogLine

CHUNK = 2**18
LOOK_AGAIN = 0.1
"""Seconds between two looks at a file that has not grown: where nobody says when it grows."""


async def read_log(
    client: Client, container: Mapping[str, Any], workload: str, *, since: datetime | None, follow: bool
) -> AsyncGenerator[LogLine, None]:
    """Yield the lines of one container written strictly after `since`; with `follow` until it ends."""
    file = await asyncio.to_thread(_own_file, container)
    source = (
        _from_file(client, container, file, workload, follow=follow)
        if file
        else _from_api(client, container, workload, since=since, follow=follow)
    )
    async with contextlib.aclosing(source) as lines:
        async for line in lines:
            if since is None or line.at > since:
                yield line


def _own_file(container: Mapping[str, Any]) -> Path | None:
    """Return Podman's file of a container (Docker's is JSON, and its API has exact times)."""
    path = Path(container.get("LogPath") or "")
    return path if path.name == "ctr.log" and os.access(path, os.R_OK) else None


async def _from_file(
    client: Client, container: Mapping[str, Any], file: Path, workload: str, *, follow: bool
) -> AsyncGenerator[LogLine, None]:
    entries = FileEntries(Lines(workload))
    over = asyncio.create_task(until_over(container)) if follow else None
    try:
        with await asyncio.to_thread(file.open, "rb") as stream:
            while True:
                # before reading: what was written before the end is read after it
                goes_on = over is not None and await _lives(client, container)
                for line in await _grown(stream, entries):
                    yield line
                if over is None or not goes_on:
                    break
                await _pause(over)
    finally:
        if over is not None:
            over.cancel()
            await asyncio.gather(over, return_exceptions=True)
    for line in entries.rest():
        yield line


async def _pause(over: asyncio.Task[bool]) -> None:
    """Wait before the next look at the file: not beyond the end of the process, and shorter until the engine has noticed that."""
    if over.done():
        await asyncio.sleep(SOON if over.result() else LOOK_AGAIN)
    else:
        await asyncio.wait({over}, timeout=LOOK_AGAIN)


async def _grown(stream: IO[bytes], entries: FileEntries) -> list[LogLine]:
    lines: list[LogLine] = []
    while chunk := stream.read(CHUNK):
        lines += entries.feed(chunk)
        await asyncio.sleep(0)
    return lines


async def _lives(client: Client, container: Mapping[str, Any]) -> bool:
    """Tell whether this life of a container goes on, from its process where that is on this machine.

    Podman's own way to wait for the end looks at it without pause: five of them took 85 % of a processor (tried).
    """
    if await asyncio.to_thread(belongs, int(container["State"].get("Pid") or 0), container["Id"]):
        return True
    with reaching(f"looking at {container['Id'][:12]}"):
        try:
            now = (await client.containers.container(container["Id"]).show())["State"]
        except aiodocker.DockerError as error:
            if error.status == 404:  # noqa: PLR2004 -- HTTP: it was removed
                return False
            raise
    return bool(now["Running"] and now["StartedAt"] == container["State"]["StartedAt"])


async def _from_api(
    client: Client, container: Mapping[str, Any], workload: str, *, since: datetime | None, follow: bool
) -> AsyncGenerator[LogLine, None]:
    frames = Frames(Lines(workload), tty=bool(container["Config"].get("Tty")))
    parameters: dict[str, Any] = {"stdout": True, "stderr": True, "timestamps": True, "follow": follow}
    if since is not None:
        parameters["since"] = int(
            since.timestamp()
        )  # the whole second: the times within it depend on each other
    with reaching(f"reading the log of {workload}"):
        async with client.stream("GET", f"containers/{container['Id']}/logs", params=parameters) as response:
            async for chunk in response.content.iter_any():
                for line in frames.feed(chunk):
                    yield line
    for line in frames.rest():
        yield line
