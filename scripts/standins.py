# ruff: noqa: INP001, T201 -- a script: it belongs to no package, and it tells what it does
"""The images that the examples are written for: pulled where a registry answers, stood in for where none does.

The stand-ins are made of Debian packages (real redis-server, nodejs, yarnpkg and nginx, and a mail catcher with MailHog's API), carry
the public names and the label `conductor.dev/stand-in=true`, and serve the examples only. What was made is kept: a second call only asks
the engine.

    python scripts/standins.py
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiodocker
import aiohttp

from conductor.adapters.docker.connection.client import Client, connect, reaching
from conductor.bootstrap import load_settings
from conductor.errors import ConductorError, NotFoundError, UnreachableError

HERE = Path(__file__).resolve().parent / "standins"
LABEL = "conductor.dev/stand-in"
LABEL_KEY = "conductor.dev/stand-in-key"
PULL_PATIENCE_SECONDS = 15
"""How long a registry may take until the first byte of an image."""

PACKAGES = ("busybox", "nginx-light", "nodejs", "redis-server", "yarnpkg")
LEFT_OUT = ("doc", "man", "info", "locale", "lintian", "bash-completion")
IN_THE_ROOT = (
    "useradd --uid 1000 --create-home --shell /bin/sh node",
    "ln -s /usr/bin/yarnpkg /usr/local/bin/yarn",
    "ln -s /usr/bin/busybox /usr/local/bin/wget",
    "install -d -o redis -g redis /data",
    "rm -rf /etc/nginx/sites-enabled /var/lib/nginx /var/log/nginx",
    "install -d /var/lib/nginx /var/log/nginx",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """A public image, and what makes the base behave like it: lines of a Dockerfile, and files of `standins/` for them."""

    name: str
    lines: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)


IMAGES = (
    Image(
        name="docker.io/library/redis:7-alpine",
        files={"redis-entrypoint": "/usr/local/bin/docker-entrypoint.sh"},
        lines=(
            "WORKDIR /data",
            "VOLUME /data",
            "EXPOSE 6379",
            'ENTRYPOINT ["docker-entrypoint.sh"]',
            'CMD ["redis-server"]',
        ),
    ),
    Image(
        name="docker.io/library/node:22-alpine",
        files={"node-entrypoint": "/usr/local/bin/docker-entrypoint.sh"},
        lines=('ENTRYPOINT ["docker-entrypoint.sh"]', 'CMD ["node"]'),
    ),
    Image(
        name="docker.io/library/nginx:1.27-alpine",
        files={"nginx.conf": "/etc/nginx/nginx.conf", "default.conf": "/etc/nginx/conf.d/default.conf"},
        lines=("EXPOSE 80", "STOPSIGNAL SIGQUIT", 'CMD ["nginx", "-g", "daemon off;"]'),
    ),
    Image(
        name="docker.io/mailhog/mailhog:v1.0.1",
        files={"MailHog": "/usr/local/bin/MailHog"},
        lines=("EXPOSE 1025 8025", "USER node", 'ENTRYPOINT ["MailHog"]'),
    ),
)


def main() -> int:
    """Make sure that every image is there; return the exit code."""
    try:
        asyncio.run(ensure_images())
    except ConductorError as error:
        say(f"{error.message}\n{error.remedy}".strip())
        return error.exit_code
    return 0


async def ensure_images() -> None:
    """Ask the engine, then the registries, then Debian."""
    settings = load_settings()
    client = await connect(state_folder=settings.state, url=settings.docker_host)
    try:
        missing = [image for image in IMAGES if not await is_there(client, image)]
        if missing:
            with one_at_a_time():
                missing = [image for image in missing if not await is_there(client, image)]
                await stand_in(client, await pull_what_can_be(client, missing))
    finally:
        await client.close()


async def is_there(client: Client, image: Image) -> bool:
    """Tell whether the engine has it: the public one, or a stand-in as this script would make it now."""
    labels = await labels_of(client, image.name)
    return labels is not None and (LABEL not in labels or labels.get(LABEL_KEY) == key_of(image))


async def labels_of(client: Client, name: str) -> Mapping[str, str] | None:
    """Return the labels of an image, None where the engine has none of that name."""
    try:
        with reaching(f"looking for the image {name}"):
            found = await client.images.inspect(name)
    except NotFoundError:
        return None
    return (found.get("Config") or {}).get("Labels") or {}


async def pull_what_can_be(client: Client, images: Sequence[Image]) -> Sequence[Image]:
    """Pull; return what is left once a registry did not give anything."""
    for done, image in enumerate(images):
        if await labels_of(client, image.name) is not None:
            return images[
                done:
            ]  # a stand-in of an older kind: no registry answered then, and asking again takes time
        say(f"pulling {image.name}")
        if why := await pull(client, image.name):
            say(f"no image registry gives it ({why})")
            return images[done:]
    return ()


async def pull(client: Client, name: str) -> str:
    """Pull an image through the engine, with its mirrors and proxies; return why that is not possible."""
    try:
        async with asyncio.timeout(PULL_PATIENCE_SECONDS) as patience:
            async for line in client.images.pull(name, stream=True):
                if "error" in line:
                    return str(line["error"])[:200]
                if line.get("progressDetail") or "blob" in str(line.get("status")):
                    patience.reschedule(None)
    except TimeoutError:
        return f"it did not answer for {PULL_PATIENCE_SECONDS} s"
    except (aiodocker.DockerError, aiohttp.ClientError) as error:
        return str(error)[:200]
    return "" if await labels_of(client, name) is not None else "the engine ended without it"


async def stand_in(client: Client, images: Sequence[Image]) -> None:
    """Make stand-ins for these."""
    if not images:
        return
    say("building stand-ins from Debian packages, for the examples only:")
    base = f"localhost/conductor/stand-in-base:{base_key()}"
    if await labels_of(client, base) is None:
        archive = root_archive()
        await import_base(client, base, archive, size_bytes=archive.stat().st_size)
    for image in images:
        await build(client, image, base)
        say(f"  {image.name}  (stand-in)")


async def import_base(client: Client, name: str, archive: Path, *, size_bytes: int) -> None:
    """Hand the root file system to the engine (POST /images/create, fromSrc=-), then name it: Podman takes no tag with that."""
    say(f"  handing {size_bytes >> 20} MB to the engine ...")
    repository, _, tag = name.rpartition(":")
    with reaching("importing the base of the stand-ins"):
        async with client.stream(
            "POST", "images/create", params={"fromSrc": "-"}, data=pieces(archive)
        ) as response:
            last = json.loads((await response.read()).splitlines()[-1])
        if "error" in last:
            raise UnreachableError(
                f"the engine did not take {archive}: {last['error']}", remedy="Remove it, and run again."
            )
        await client.images.tag(last.get("id") or last["status"], repository, tag=tag)


async def pieces(file: Path) -> AsyncIterator[bytes]:
    """Yield a file in pieces of 1 MiB."""
    with file.open("rb") as stream:
        while piece := await asyncio.to_thread(stream.read, 1 << 20):
            yield piece


async def build(client: Client, image: Image, base: str) -> None:
    """Dress the base as one image: metadata and a few files, no command is run."""
    copies = [f"COPY {source} {target}" for source, target in image.files.items()]
    labels = [f"LABEL {LABEL}=true {LABEL_KEY}={key_of(image)}"]
    context = in_memory_tar("\n".join([f"FROM {base}", *copies, *image.lines, *labels, ""]), image.files)
    with reaching(f"building the stand-in for {image.name}"):
        await client.images.build(fileobj=context, encoding="identity", tag=image.name)


def in_memory_tar(dockerfile: str, files: Mapping[str, str]) -> io.BytesIO:
    """Make the context of a stand-in."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        info = tarfile.TarInfo("Dockerfile")
        info.size = len(dockerfile.encode())
        tar.addfile(info, io.BytesIO(dockerfile.encode()))
        for name in files:
            tar.add(HERE / name, name)
    stream.seek(0)
    return stream


def key_of(image: Image) -> str:
    """Name what a stand-in is made of."""
    contents = [(HERE / name).read_bytes() for name in image.files]
    return hashlib.sha256(repr((base_key(), image, contents)).encode()).hexdigest()[:16]


def base_key() -> str:
    """Name what the base is made of."""
    return hashlib.sha256(repr((PACKAGES, LEFT_OUT, IN_THE_ROOT)).encode()).hexdigest()[:16]


def root_archive() -> Path:
    """Return the root file system of the base as a tar archive; made by mmdebstrap where it is not in the cache."""
    archive = cache() / f"root-{base_key()}.tar"
    if not archive.is_file():
        install_mmdebstrap()
        partial = archive.with_suffix(".partial.tar")
        say("  fetching Debian packages (about a minute, once) ...")
        run(mmdebstrap(partial))
        partial.replace(archive)
    return archive


def mmdebstrap(archive: Path) -> Sequence[str]:
    """Word the command: this machine's own release and package sources, so that its mirrors and keys count."""
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
    )
    folder = Path("/etc/apt")
    names = ("sources.list", "sources.list.d/debian.sources", "sources.list.d/ubuntu.sources")
    sources = [
        str(folder / name) for name in names if (folder / name).is_file() and (folder / name).stat().st_size
    ]
    options = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in LEFT_OUT]
    hooks = [f"--customize-hook=chroot $1 {line}" for line in IN_THE_ROOT]
    return [
        "mmdebstrap", "--variant=essential", "--format=tar", f"--include={','.join(PACKAGES)}",
        '--aptopt=Acquire::Languages "none"', *options, *hooks,
        release["VERSION_CODENAME"].strip('"'), str(archive), *sources,
    ]  # fmt: skip


def install_mmdebstrap() -> None:
    """Install what makes root file systems, where this machine is Debian's."""
    if shutil.which("mmdebstrap"):
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise UnreachableError(
            "no image registry answers, and stand-ins need mmdebstrap, which is not here",
            remedy="Make a registry reachable, or install mmdebstrap (Debian, Ubuntu) and run again.",
        )
    say("  installing mmdebstrap ...")
    run(["apt-get", "update", "-q"])
    run(["apt-get", "install", "-q", "-y", "--no-install-recommends", "mmdebstrap"])


def run(command: Sequence[str]) -> None:
    """Run it; its output is shown only when it fails, its stages while it works."""
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8")
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    began, lines = time.monotonic(), list[str]()
    for line in process.stdout or ():
        lines.append(line.rstrip())
        if line.startswith("I: ") and line.endswith("...\n"):
            say(f"    {time.monotonic() - began:3.0f} s  {line[3:].strip()}")
    if process.wait():
        tail = "\n".join(lines[-20:])
        raise UnreachableError(
            f"{command[0]} failed with {process.returncode}:\n{tail}",
            remedy="See what it says; `apt-get update` must work here. Then run again.",
        )


def cache() -> Path:
    """Return the folder where what was made is kept."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "conductor"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let a second call wait for what the first one makes."""
    with (cache() / "stand-ins.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    """Tell whoever waits."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
