"""Engines to test with: the one of this machine, and a tiny image of Debian's static busybox that needs no registry."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conductor.adapters.docker.connection.client import Client, Connection, connect
from conductor.adapters.docker.containers.images import find_image

BUSYBOX = "localhost/conductor-test/busybox:1"
_USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
_CHUNK_BYTES = 64 * 1024
_GROUPS = "root:x:0:\nnogroup:x:65534:\n"


@pytest.fixture(scope="session")
def engine_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder for one test session; skips where the machine has no container engine."""
    sockets = [os.environ.get("DOCKER_HOST"), Path("/var/run/docker.sock").exists(), shutil.which("podman")]
    if not any(sockets):
        pytest.skip("no container engine on this machine: install Podman or Docker")
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def busybox(engine_state: Path) -> str:
    """The reference of an image with a shell and little else, made once for each machine."""
    asyncio.run(_ensure_busybox(engine_state))
    return BUSYBOX


async def _ensure_busybox(state: Path) -> None:
    client = await connect(state_folder=state)
    try:
        if await find_image(client, BUSYBOX) is None:
            await _import(client, _image(_static_busybox()))
    finally:
        await client.close()


async def _import(client: Client, archive: bytes) -> None:
    repository, tag = BUSYBOX.rsplit(":", 1)
    parameters = {"fromSrc": "-", "repo": repository, "tag": tag, "changes": 'CMD ["/bin/sh"]'}
    async with client.stream("POST", "images/create", params=parameters, data=_chunks(archive)) as response:
        answer = (await response.text()).strip().splitlines()[-1]
    made = json.loads(answer)["status"]
    await client.images.tag(made, repo=repository, tag=tag)  # Podman 4.3 takes the name and not the tag


async def _chunks(archive: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(archive), _CHUNK_BYTES):
        yield archive[start : start + _CHUNK_BYTES]


def _static_busybox() -> Path:
    """Return a busybox that needs no libraries: this machine's, or the one from Debian's package."""
    found = shutil.which("busybox")
    if found and subprocess.run(["ldd", found], capture_output=True, check=False).returncode != 0:
        return Path(found)
    folder = Path(tempfile.mkdtemp(prefix="busybox-"))
    subprocess.run(["apt-get", "download", "busybox-static"], cwd=folder, check=True, capture_output=True)
    package = next(folder.glob("*.deb"))
    subprocess.run(["dpkg", "-x", package, folder / "x"], check=True, capture_output=True)
    return folder / "x/bin/busybox"


def _image(busybox: Path) -> bytes:
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as image:
        for folder, mode in (
            ("bin", 0o755),
            ("etc", 0o755),
            ("work", 0o755),
            ("tmp", 0o1777),
            ("run", 0o755),
        ):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            image.addfile(entry)
        for name, content in (("etc/passwd", _USERS.encode()), ("etc/group", _GROUPS.encode())):
            _add(image, name, content, 0o644)
        _add(image, "bin/busybox", busybox.read_bytes(), 0o755)
        for applet in applets:
            if applet != "busybox":
                entry = tarfile.TarInfo(f"bin/{applet}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                image.addfile(entry)
    return buffer.getvalue()


def _add(image: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    image.addfile(entry, io.BytesIO(content))


async def belongings(connection: Connection, instance: str) -> list[str]:
    """Name everything on the engine that bears this instance's label: what a clean end leaves empty."""
    client = await connection.client()
    filters = {"filters": f'{{"label": ["conductor.dev/instance={instance}"]}}'}
    containers = await client.ask("GET", "containers/json", params={"all": True, **filters})
    networks = await client.ask("GET", "networks", params=filters)
    volumes = (await client.ask("GET", "volumes", params=filters)).get("Volumes") or []
    names = [c["Names"][0] for c in containers] + [n["Name"] for n in networks] + [v["Name"] for v in volumes]
    return sorted(names)
