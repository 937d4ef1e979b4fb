"""The builder over the Docker API: contexts are streamed to the engine, and the images stay there under their content keys.

Law: the tag is worked out from the key, so what was built is found again by anybody; the key is on the image as a label, and an image
whose label says otherwise is not taken for it.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiodocker

from conductor.adapters.docker.connection.client import Connection, is_disk_full, reaching
from conductor.building.context import CHUNK, Context, archive, read_context
from conductor.building.dockerfile import line_of
from conductor.domain.names import LABEL_KEY
from conductor.domain.report import BuiltImage
from conductor.domain.stack import Build
from conductor.domain.verdict import Fault, Reason
from conductor.errors import ConductorError, NotFoundError, RunError, UnreachableError
from conductor.ports.builder import BuildOrder, OnLine

REPOSITORY = "localhost/conductor/build"
LAST_LINES = 20
"""How much of a failed build's output its error carries."""


def reference(key: str) -> str:
    """Name the image of a key."""
    return f"{REPOSITORY}:{key[:32]}"


class DockerBuilder:
    """`ports.builder.Builder` for Docker and Podman."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def find(self, order: BuildOrder) -> BuiltImage | None:
        """Ask the engine for the image of this key."""
        name = reference(order.key)
        docker = await self._connection.client()
        try:
            with reaching(f"looking for the image {name}"):
                found = await docker.images.inspect(name)
        except NotFoundError:
            return None
        labels = (found.get("Config") or {}).get("Labels") or {}
        if labels.get(LABEL_KEY) != order.key:
            return None
        return BuiltImage(name="", reference=name, digest=_digest(found), cached=True)

    async def build(self, order: BuildOrder, *, on_line: OnLine) -> BuiltImage:
        """Build it on the engine; while another build of the same key is under way, wait for that one and take what it made."""
        began = time.monotonic()
        lock = self._one_at_a_time[order.key]
        waited = lock.locked()
        async with lock:
            made = await self.find(order) if waited else None
            if made is None:
                made = await self._build(order, on_line)
        return replace(made, name=order.name, seconds=time.monotonic() - began)

    async def stop(self, run: str) -> None:
        """Do nothing: the engine gives a build up when the connection of who ordered it closes."""

    async def _build(self, order: BuildOrder, on_line: OnLine) -> BuiltImage:
        build = order.build
        context = await asyncio.to_thread(read_context, Path(order.checkout), build)
        output = _Output(context.dockerfile, build, on_line)
        labels = {**build.labels, **order.labels, LABEL_KEY: order.key}
        with _building():
            async for message in self._stream(
                context, _parameters(context, build, reference(order.key), labels)
            ):
                await output.take(message)
        await output.end()
        made = await self.find(order)
        if made is None:
            raise UnreachableError(
                "the engine ended the build without an image and without an error",
                remedy="Run again; if it stays so, read the engine's own log.",
            )
        return replace(made, cached=False)

    async def _stream(
        self, context: Context, parameters: Mapping[str, str]
    ) -> AsyncIterator[Mapping[str, Any]]:
        """POST /build (docs.docker.com/reference/api/engine): a tar archive goes up while JSON lines come back."""
        docker = await self._connection.client()
        upload = _upload(archive(context))
        async with docker.stream("POST", "build", params=parameters, data=upload) as response:
            async for line in _lines(response.content.iter_any()):
                yield json.loads(line)


def _parameters(context: Context, build: Build, tag: str, labels: Mapping[str, str]) -> Mapping[str, str]:
    wanted = {
        "t": tag,
        "dockerfile": context.dockerfile_path,
        "buildargs": json.dumps(dict(build.args)),
        "labels": json.dumps(dict(labels)),
        "rm": "true",
        "forcerm": "true",
        "nocache": "true" if build.no_cache else "",
        "pull": "true" if build.pull else "",
        "target": build.target or "",
        "platform": build.platform or "",
        "networkmode": build.network or "",
        "shmsize": str(build.shm_bytes or ""),
    }
    return {key: value for key, value in wanted.items() if value}


async def _upload(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Read files on a thread while the loop sends what was read."""
    while batch := await asyncio.to_thread(_batch, pieces):
        yield batch


def _batch(pieces: Iterator[bytes]) -> bytes:
    batch = bytearray()
    while len(batch) < CHUNK and (piece := next(pieces, b"")):
        batch += piece
    return bytes(batch)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in filter(bytes.strip, whole):
            yield line
    if rest.strip():
        yield rest


_STEP = re.compile(r"(?:\[\d+/\d+\] )?(?:STEP|Step) \d+/\d+ ?: (?P<text>.+)")


class _Output:
    """What comes back of one build: whole lines for the reader, and which instruction is at work."""

    def __init__(self, dockerfile: str, build: Build, on_line: OnLine) -> None:
        self._dockerfile = dockerfile
        self._file = "dockerfile_inline" if build.dockerfile_inline is not None else build.dockerfile
        self._on_line = on_line
        self._rest = ""
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._step = ""

    async def take(self, message: Mapping[str, Any]) -> None:
        """Read one message of the stream. Raises what it says went wrong."""
        if "error" in message:
            await self.end()
            raise self._failure(message)
        if message.get("status") and not message.get("progressDetail"):
            await self._hand_on(f"{message.get('id', '')} {message['status']}".strip())
        text = str(message.get("stream") or "")
        if _STEP.match(text):
            await self.end()
        *whole, self._rest = (self._rest + text).split("\n")
        for line in whole:
            await self._hand_on(line)

    async def end(self) -> None:
        """Hand on what had no line end."""
        rest, self._rest = self._rest, ""
        if rest:
            await self._hand_on(rest)

    async def _hand_on(self, line: str) -> None:
        text = line.rstrip("\r")
        if step := _STEP.fullmatch(text):
            self._step = step["text"]
            self._last.clear()
        elif text.strip():
            self._last.append(text)
        await self._on_line(text)

    def _failure(self, message: Mapping[str, Any]) -> ConductorError:
        detail = message.get("errorDetail") or {}
        text = str(detail.get("message") or message["error"]).strip()
        if is_disk_full(text) or any(map(is_disk_full, self._last)):
            return _disk_full(text)
        if _is_about_pulling(text, self._step):
            return _not_pulled(self._place(), text)
        if broken := next(filter(_ENGINE_BROKE.search, self._last), None):
            return _engine_broke(self._place(), broken)
        code = detail.get("code") or _exit_code(text)
        how = f"failed with exit code {code}" if code else f"failed: {_bare(text)}"
        message_lines = [f"{self._place()} {how}", *(f"    {line}" for line in self._last)]
        return RunError(
            "\n".join(message_lines),
            reason=Reason.BUILD_FAILED,
            fault=Fault.REPOSITORY,
            remedy="Correct the instruction, or what it needs of the build context; `docker build` shows the same.",
        )

    def _place(self) -> str:
        """Say where the build stood: `Dockerfile:5: RUN make`."""
        if not self._step:
            return f"{self._file}: the build"
        line = line_of(self._dockerfile, self._step)
        return f"{self._file}{f':{line}' if line else ''}: {' '.join(self._step.split())[:200]}"


_EXIT_CODE = re.compile(r"(?:exit status|non-zero code:|exit code:?) (\d+)")
_ENGINE_BROKE = re.compile(
    r"error running container: .*(?:setting rlimit|cgroup|mounting|operation not permitted)"
)
_PULL = re.compile(
    r"initializing source docker:|pinging container registry|pull access denied|manifest unknown|manifest for .* not found"
    r"|did not resolve to an alias|reading manifest|no such image|image not known|toomanyrequests|failed to resolve",
    re.IGNORECASE,
)
_NETWORK = re.compile(
    r"dial tcp|no such host|timeout|timed out|connection re|network is unreachable|toomanyrequests|too many requests"
    r"|TLS handshake|x509|\b50[0234]\b|\bEOF\b|deadline exceeded",
    re.IGNORECASE,
)


def _exit_code(text: str) -> int:
    found = _EXIT_CODE.search(text)
    return int(found[1]) if found else 0


def _bare(text: str) -> str:
    """Drop what the message says of the place: it is said better."""
    text = re.sub(r'^building at STEP ".*?(?<!\\)": ', "", text, flags=re.DOTALL)
    return text.split(" &imagebuilder.")[0][:500]


def _is_about_pulling(text: str, step: str) -> bool:
    takes_an_image = not step or step.upper().startswith("FROM ") or "--from=" in step
    return takes_an_image and bool(_PULL.search(text))


def _not_pulled(place: str, text: str) -> RunError:
    away = bool(_NETWORK.search(text))
    return RunError(
        f"{place}: the image cannot be pulled: {_bare(text)}",
        reason=Reason.IMAGE_PULL,
        fault=Fault.PLATFORM if away else Fault.REPOSITORY,
        remedy="Make the registry reachable for the engine, and run again."
        if away
        else "Check the image's name and tag, and that the engine may pull it.",
    )


def _engine_broke(place: str, line: str) -> RunError:
    return RunError(
        f"{place}: the engine cannot run a container: {line[:500]}",
        reason=Reason.BUILD_FAILED,
        fault=Fault.PLATFORM,
        remedy="`conductor doctor` looks at the engine and says what it lacks.",
    )


def _disk_full(text: str) -> RunError:
    return RunError(
        f"the engine's disk is full: {_bare(text)}",
        reason=Reason.DISK_FULL,
        fault=Fault.PLATFORM,
        remedy="Free disk space on the engine's machine (`conductor stacks list`, then delete; `docker system prune`).",
    )


@contextmanager
def _building() -> Iterator[None]:
    """Say in our own errors what the engine answered instead of a stream."""
    with reaching("building an image"):
        try:
            yield
        except aiodocker.DockerError as error:
            if error.status != HTTPStatus.BAD_REQUEST or is_disk_full(error.message):
                raise
            raise RunError(
                f"the Dockerfile cannot be read: {error.message}",
                reason=Reason.BUILD_FAILED,
                fault=Fault.REPOSITORY,
                remedy="Correct the Dockerfile; the message names the line.",
            ) from None


def _digest(inspected: Mapping[str, Any]) -> str:
    identity = str(inspected.get("Id", ""))
    return identity if identity.startswith("sha256:") or not identity else f"sha256:{identity}"
