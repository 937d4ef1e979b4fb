"""The builder on the engine of this machine: contexts that travel, images that are found again, builds side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.engines import busybox, engine_state  # noqa: F401 -- fixtures
from tests.orders import an_order

from conductor.adapters.docker.builder import DockerBuilder
from conductor.adapters.docker.connection.client import Connection
from conductor.building.context import key_of
from conductor.domain.names import LABEL_KEY, LABEL_RUN
from conductor.domain.report import BuiltImage
from conductor.domain.stack import Build
from conductor.errors import RunError

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]


class Workshop:
    """A checkout of one folder, a builder, and what its builds said."""

    def __init__(self, connection: Connection, checkout: Path, image: str) -> None:
        self.connection = connection
        self.builder = DockerBuilder(connection)
        self.checkout = checkout
        self.image = image
        self.lines: list[str] = []
        self.made: list[str] = []

    def write(self, name: str, text: str) -> None:
        path = self.checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    async def build(self, *instructions: str, build: Build | None = None) -> BuiltImage:
        """Build a Dockerfile that no earlier test session built."""
        text = "\n".join([f"FROM {self.image}", f"LABEL session={uuid4().hex}", *instructions, ""])
        return await self.build_as_it_is(build or Build(dockerfile_inline=text))

    async def build_as_it_is(self, build: Build) -> BuiltImage:
        key = key_of(self.checkout, build)

        async def keep(line: str) -> None:
            self.lines.append(line)

        order = an_order(key, checkout=self.checkout, build=build)
        made = await self.builder.build(order, on_line=keep)
        self.made.append(made.reference)
        assert await self.builder.find(order) is not None
        return made

    async def labels(self, image: BuiltImage) -> dict[str, str]:
        docker = await self.connection.client()
        labels: dict[str, str] = (await docker.images.inspect(image.reference))["Config"]["Labels"]
        return labels


@pytest.fixture
async def workshop(engine_state: Path, busybox: str, tmp_path: Path) -> AsyncIterator[Workshop]:  # noqa: F811 -- fixtures
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    connection = Connection(state_folder=engine_state)
    made = Workshop(connection, checkout, busybox)
    try:
        yield made
        docker = await connection.client()
        for reference in set(made.made):
            await docker.images.delete(reference, force=True)
    finally:
        await connection.aclose()


async def test_a_context_arrives_as_dockerignore_leaves_it(workshop: Workshop):
    workshop.write(".dockerignore", "*.log\nnode_modules\n!keep.log\n")
    for name in ("app/main.sh", "app.log", "keep.log", "node_modules/left-pad/index.js", ".git/HEAD"):
        workshop.write(name, "#!/bin/sh\n")
    (workshop.checkout / "app/main.sh").chmod(0o755)
    (workshop.checkout / "link").symlink_to("app/main.sh")
    (workshop.checkout / "empty").mkdir()

    await workshop.build(
        "COPY . /context",
        "RUN cd /context && find . | sort | sed 's/^/found /' && test -x link && test ! -x keep.log",
    )

    found = sorted(line.removeprefix("found ") for line in workshop.lines if line.startswith("found "))
    assert [name for name in found if "dockerignore" not in name] == [
        ".", "./app", "./app/main.sh", "./empty", "./keep.log", "./link",
    ]  # fmt: skip


async def test_arguments_and_targets_reach_the_build_and_labels_the_image(workshop: Workshop):
    text = f"FROM {workshop.image} AS one\nARG WHO=nobody\nRUN echo hello $WHO\nFROM one AS two\nRUN exit 1\n"
    build = Build(dockerfile_inline=text, target="one", args={"WHO": uuid4().hex}, labels={"team": "shop"})

    image = await workshop.build_as_it_is(build)

    assert f"hello {build.args['WHO']}" in workshop.lines
    labels = await workshop.labels(image)
    assert labels["team"] == "shop"
    assert labels[LABEL_RUN] == "a-run"
    assert image.reference.endswith(labels[LABEL_KEY][:32])


async def test_a_context_of_many_pieces_arrives_whole(workshop: Workshop):
    size = 9_000_001
    (workshop.checkout / "big").write_bytes(b"conductor" * (size // 9) + b"!")
    await workshop.build("COPY big /big", "RUN wc -c < /big && tail -c 1 /big && echo")
    assert str(size // 9 * 9 + 1) in workshop.lines
    assert "!" in workshop.lines


async def test_a_dockerfile_outside_its_context_builds(workshop: Workshop):
    workshop.write("web/page.html", "hello")
    workshop.write(
        "docker/web.Dockerfile",
        f"FROM {workshop.image}\nLABEL session={uuid4().hex}\nCOPY . /web\nRUN ls /web\n",
    )
    await workshop.build_as_it_is(Build(context="web", dockerfile="docker/web.Dockerfile"))
    assert "page.html" in workshop.lines


async def test_a_failing_command_is_named_with_its_line_and_its_exit_code(workshop: Workshop):
    with pytest.raises(RunError) as caught:
        await workshop.build("", "RUN echo compiling && \\", "    echo 'no such symbol' >&2; exit 42")
    assert (caught.value.reason, caught.value.fault) == ("BuildFailed", "repository")
    first, *last = caught.value.message.splitlines()
    assert first.startswith("dockerfile_inline:4: RUN echo compiling &&")
    assert first.endswith("failed with exit code 42")
    assert "no such symbol" in "\n".join(last)


async def test_a_missing_file_is_named_with_the_line_that_wants_it(workshop: Workshop):
    with pytest.raises(RunError, match="dockerfile_inline:3: COPY nowhere /") as caught:
        await workshop.build("COPY nowhere /")
    assert (caught.value.reason, caught.value.fault) == ("BuildFailed", "repository")


async def test_builds_side_by_side_both_end_well(workshop: Workshop):
    first, second = await asyncio.gather(
        workshop.build("RUN echo first; sleep 0.3; echo first is done"),
        workshop.build("RUN echo second; sleep 0.3; echo second is done"),
    )
    assert first.reference != second.reference
    assert {"first is done", "second is done"} <= set(workshop.lines)
    begun = [workshop.lines.index("first"), workshop.lines.index("second")]
    ended = [workshop.lines.index("first is done"), workshop.lines.index("second is done")]
    assert max(begun) < min(ended), "one waited for the other"


async def test_a_build_that_is_given_up_leaves_the_engine_able_to_build(workshop: Workshop):
    started = asyncio.Event()

    async def tell(line: str) -> None:
        if line == "under way":
            started.set()

    build = Build(dockerfile_inline=f"FROM {workshop.image}\nRUN echo under way; sleep 20 # {uuid4().hex}\n")
    key = key_of(workshop.checkout, build)
    order = an_order(key, checkout=workshop.checkout, build=build)
    task = asyncio.create_task(workshop.builder.build(order, on_line=tell))
    async with asyncio.timeout(60):
        await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await workshop.builder.find(order) is None
    await workshop.build("RUN echo still well")
    assert "still well" in workshop.lines
