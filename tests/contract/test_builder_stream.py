"""The builder against an engine that says what Docker and Podman were recorded to say, over a real socket."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.orders import an_order

from conductor.adapters.docker.builder import DockerBuilder, reference
from conductor.adapters.docker.connection.client import Connection
from conductor.building.context import key_of
from conductor.domain.names import LABEL_KEY
from conductor.domain.stack import Build
from conductor.errors import RunError, UnreachableError

DOCKERFILE = """\
FROM node:22-alpine
WORKDIR /app

RUN yarn install && \\
    yarn build
"""

PODMAN_STEP = {"stream": "STEP 3/4: RUN yarn install &&     yarn build\n"}
DOCKER_STEP = {"stream": "Step 3/3 : RUN yarn install &&     yarn build\n"}
SUCCESS = [{"stream": "STEP 1/1: FROM node:22-alpine\n"}, {"stream": "Successfully built 7c624892a19f\n"}]


def error(message: str, **detail: int) -> dict[str, Any]:
    return {"errorDetail": {"message": message, **detail}, "error": message}


@dataclass
class RecordedEngine:
    """Answers a build with the messages that it was given; `cut` closes the connection after them."""

    messages: Sequence[dict[str, Any]] = ()
    cut: bool = False
    refuse_with: tuple[int, str] | None = None
    images: dict[str, dict[str, str]] = field(default_factory=dict)
    received: dict[str, str] = field(default_factory=dict)
    contexts: list[list[str]] = field(default_factory=list)

    async def ping(self, _request: web.Request) -> web.Response:
        return web.Response(text="OK", headers={"Api-Version": "1.41"})

    async def image(self, request: web.Request) -> web.Response:
        labels = self.images.get(request.match_info["name"])
        if labels is None:
            return web.json_response({"message": "no such image"}, status=404)
        return web.json_response({"Id": "7c624892a19f", "Config": {"Labels": labels}})

    async def build(self, request: web.Request) -> web.StreamResponse:
        self.received = dict(request.query)
        with tarfile.open(fileobj=io.BytesIO(await request.read()), mode="r:") as tar:
            self.contexts.append(tar.getnames())
        if self.refuse_with:
            return web.json_response({"message": self.refuse_with[1]}, status=self.refuse_with[0])
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        for message in self.messages:
            await response.write(json.dumps(message).encode() + b"\n")
        if self.cut and request.transport:
            request.transport.abort()
        elif not any("error" in message for message in self.messages):
            self.images[self.received["t"]] = json.loads(self.received["labels"])
        return response

    @asynccontextmanager
    async def serving(self, folder: Path) -> AsyncIterator[DockerBuilder]:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_get("/_ping", self.ping)
        app.router.add_get("/{api}/images/{name:.+}/json", self.image)
        app.router.add_post("/{api}/build", self.build)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.UnixSite(runner, str(folder / "engine.sock")).start()
        connection = Connection(state_folder=folder, url=f"unix://{folder}/engine.sock")
        try:
            yield DockerBuilder(connection)
        finally:
            await connection.aclose()
            await runner.cleanup()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "server.js").write_text("x" * 300_000)
    return folder


async def build(
    builder: DockerBuilder, checkout: Path, *, lines: list[str] | None = None, wanted: Build | None = None
):
    wanted = wanted or Build()
    kept = [] if lines is None else lines

    async def keep(line: str) -> None:
        kept.append(line)

    key = key_of(checkout, wanted)
    order = an_order(key, checkout=checkout, build=wanted, name="backend")
    return await builder.build(order, on_line=keep)


async def failure(engine: RecordedEngine, tmp_path: Path, checkout: Path) -> RunError:
    async with engine.serving(tmp_path) as builder:
        with pytest.raises(RunError) as caught:
            await build(builder, checkout)
    return caught.value


async def test_what_was_built_is_found_under_its_key_and_bears_it(tmp_path: Path, checkout: Path):
    engine = RecordedEngine(SUCCESS)
    async with engine.serving(tmp_path) as builder:
        key = key_of(checkout, Build())
        assert await builder.find(an_order(key)) is None
        built = await build(builder, checkout)
        found = await builder.find(an_order(key))
    assert found is not None
    assert (built.name, built.reference, built.digest) == ("backend", reference(key), "sha256:7c624892a19f")
    assert (found.name, found.reference, found.cached) == ("", built.reference, True)
    assert engine.images[reference(key)] == {LABEL_KEY: key, "conductor.dev/run": "a-run"}
    assert engine.contexts == [["Dockerfile", "server.js"]]


async def test_the_engine_is_told_all_that_the_build_says(tmp_path: Path, checkout: Path):
    engine = RecordedEngine(SUCCESS)
    wanted = Build(
        args={"A": "1"}, target="test", platform="linux/amd64", network="host", no_cache=True, pull=True
    )
    async with engine.serving(tmp_path) as builder:
        await build(builder, checkout, wanted=wanted)
    told = {key: value for key, value in engine.received.items() if key not in ("t", "labels")}
    assert told == {
        "dockerfile": "Dockerfile", "buildargs": '{"A": "1"}', "target": "test", "platform": "linux/amd64",
        "networkmode": "host", "nocache": "true", "pull": "true", "rm": "true", "forcerm": "true",
    }  # fmt: skip


async def test_an_image_that_says_another_key_is_not_taken_for_it(tmp_path: Path, checkout: Path):
    engine = RecordedEngine()
    async with engine.serving(tmp_path) as builder:
        key = key_of(checkout, Build())
        engine.images[reference(key)] = {LABEL_KEY: "f" * 64}
        assert await builder.find(an_order(key)) is None


async def test_two_builds_of_one_key_at_the_same_time_are_one_build(tmp_path: Path, checkout: Path):
    engine = RecordedEngine(SUCCESS)
    async with engine.serving(tmp_path) as builder:
        first, second = await asyncio.gather(build(builder, checkout), build(builder, checkout))
    assert len(engine.contexts) == 1
    assert first.digest == second.digest
    assert sorted([first.cached, second.cached]) == [False, True]


async def test_lines_are_handed_on_whole_however_the_engine_cuts_them(tmp_path: Path, checkout: Path):
    pieces = [
        {"stream": "one\ntw"},
        {"stream": "o\nthree"},
        {"status": "Pulling fs layer", "id": "a1"},
        *SUCCESS,
    ]
    lines: list[str] = []
    async with RecordedEngine(pieces).serving(tmp_path) as builder:
        await build(builder, checkout, lines=lines)
    assert lines[:5] == ["one", "two", "a1 Pulling fs layer", "three", "STEP 1/1: FROM node:22-alpine"]


PODMAN_RUN_FAILED = [
    PODMAN_STEP,
    {"stream": "error TS2304: Cannot find name 'prot'.\n"},
    error('building at STEP "RUN yarn install &&     yarn build": while running runtime: exit status 42\n'),
]
DOCKER_RUN_FAILED = [
    DOCKER_STEP,
    {"stream": "error TS2304: Cannot find name 'prot'.\n"},
    error("The command '/bin/sh -c yarn install && yarn build' returned a non-zero code: 42", code=42),
]


@pytest.mark.parametrize("messages", [PODMAN_RUN_FAILED, DOCKER_RUN_FAILED], ids=["podman", "docker"])
async def test_a_command_that_fails_is_named_with_its_line_its_exit_code_and_its_last_words(
    tmp_path: Path, checkout: Path, messages: list[dict[str, Any]]
):
    error = await failure(RecordedEngine(messages), tmp_path, checkout)
    assert (error.reason, error.fault) == ("BuildFailed", "repository")
    assert error.message == (
        "Dockerfile:4: RUN yarn install && yarn build failed with exit code 42\n"
        "    error TS2304: Cannot find name 'prot'."
    )


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (
            "initializing source docker://node:22-alpine: pinging container registry r: dial tcp: lookup r: no such host",
            "platform",
        ),
        ("toomanyrequests: You have reached your unauthenticated pull rate limit.", "platform"),
        (
            "pull access denied for nobody/nothing, repository does not exist or may require 'docker login'",
            "repository",
        ),
        ("manifest for node:nope not found: manifest unknown: manifest unknown", "repository"),
        (
            "initializing source docker://node:nope: reading manifest nope in r/node: manifest unknown",
            "repository",
        ),
    ],
)
async def test_a_base_image_that_cannot_be_pulled_is_the_fault_of_who_can_mend_it(
    tmp_path: Path, checkout: Path, said: str, fault: str
):
    caught = await failure(
        RecordedEngine([{"stream": "STEP 1/4: FROM node:22-alpine\n"}, error(said)]), tmp_path, checkout
    )
    assert (caught.reason, caught.fault) == ("ImagePullBackOff", fault)
    assert caught.message.startswith("Dockerfile:1: FROM node:22-alpine: the image cannot be pulled")


@pytest.mark.parametrize(
    "messages",
    [
        [PODMAN_STEP, error("write /var/lib/containers/x: no space left on device")],
        [PODMAN_STEP, {"stream": "tar: write error: No space left on device\n"}, error("exit status 1")],
    ],
)
async def test_a_full_disk_is_the_platforms_fault(
    tmp_path: Path, checkout: Path, messages: list[dict[str, Any]]
):
    caught = await failure(RecordedEngine(messages), tmp_path, checkout)
    assert (caught.reason, caught.fault) == ("DiskFull", "platform")


async def test_an_engine_that_can_run_nothing_is_not_the_repositorys_fault(tmp_path: Path, checkout: Path):
    said = "error running container: from /usr/bin/runc creating container for [/bin/sh -c x]: error setting rlimit type 6\n"
    caught = await failure(
        RecordedEngine([PODMAN_STEP, {"stream": said}, error("exit status 1")]), tmp_path, checkout
    )
    assert (caught.reason, caught.fault) == ("BuildFailed", "platform")


async def test_a_dockerfile_that_the_engine_refuses_to_read_is_the_repositorys_fault(
    tmp_path: Path, checkout: Path
):
    said = "dockerfile parse error on line 3: unknown instruction: FRUMP"
    caught = await failure(RecordedEngine(refuse_with=(400, said)), tmp_path, checkout)
    assert (caught.reason, caught.fault) == ("BuildFailed", "repository")
    assert said in caught.message


@pytest.mark.parametrize(
    "engine", [RecordedEngine([PODMAN_STEP], cut=True), RecordedEngine([PODMAN_STEP], cut=False)]
)
async def test_an_engine_that_goes_away_in_mid_build_is_unreachable(
    tmp_path: Path, checkout: Path, engine: RecordedEngine
):
    async with engine.serving(tmp_path) as builder:
        engine.images = Forgetful()
        with pytest.raises(UnreachableError):
            await build(builder, checkout)


class Forgetful(dict[str, dict[str, str]]):
    """Images of an engine that lost what it made."""

    def __setitem__(self, name: str, labels: dict[str, str]) -> None:
        del name, labels


async def test_no_engine_at_all_is_unreachable(tmp_path: Path, checkout: Path):
    builder = DockerBuilder(Connection(state_folder=tmp_path, url=f"unix://{tmp_path}/nobody.sock"))
    with pytest.raises(UnreachableError):
        await builder.find(an_order(key_of(checkout, Build())))
