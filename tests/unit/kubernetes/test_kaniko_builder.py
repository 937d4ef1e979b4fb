"""Builds on a cluster, over an API server that plays one: adopted, repeated, settled, believed only as the registry confirms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.kubernetes.fake_api.containers import Wanted
from tests.kubernetes.fake_api.played import Played, PlayedContainer
from tests.kubernetes.fake_api.server import FakeApiServer

from conductor.adapters.fake.shell import Course
from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.api.kinds import JOB, NAMESPACE, POD, SECRET, Manifest
from conductor.adapters.kubernetes.engine import KubernetesEngine
from conductor.adapters.kubernetes.kaniko.builder import KanikoBuilder, TokenFor
from conductor.adapters.kubernetes.kaniko.job import GRANT, Order, job, job_name
from conductor.adapters.kubernetes.kaniko.site import KanikoSite
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.building.context import key_of
from conductor.domain.stack import Build
from conductor.errors import ConflictError, RunError
from conductor.ports.builder import BuildOrder, Remote
from conductor.ports.registry import Credentials, PushGrant

SITE = Site(instance="here")
BUILDS = "conductor-builds-here"
PATIENCE_SECONDS = 20.0
DIGEST, FORGED = f"sha256:{'a' * 64}", f"sha256:{'0' * 64}"
CUT_OFF = "Error: error resolving source context: unexpected EOF"
FAILED = "error building image: error building stage: failed to execute command: waiting for process to exit: exit status 3"


class Shelf:
    """A registry in memory: what was pushed, who was let."""

    def __init__(self, *, narrow: bool = True) -> None:
        self.images: dict[str, str] = {}
        self.granted: list[str] = []
        self.revoked: list[str] = []
        self._narrow = narrow

    def reference(self, repository: str, image: str, key: str) -> str:
        return f"registry.example.org/{repository}/{image}:{key[:32]}"

    def cache(self, repository: str) -> str:
        return f"registry.example.org/{repository}/cache"

    def link(self, reference: str, digest: str) -> str:
        return f"https://{reference}@{digest}"

    async def find(self, reference: str) -> str | None:
        return self.images.get(reference)

    async def grant_push(self, repository: str, *, build: str, life: timedelta) -> PushGrant:
        del repository, life
        self.granted.append(build)
        who = Credentials(server="registry.example.org", username="robot", password="secret")
        return PushGrant(credentials=who, narrow=self._narrow)

    async def revoke_push(self, build: str, *, repository: str = "") -> None:
        assert repository == "acme/shop", "whose it is stands on the Job"
        self.revoked.append(build)

    async def pull_credentials(self) -> Credentials | None:
        return None


@dataclass
class Script:
    """What one container of Kaniko does."""

    lines: tuple[str, ...] = ('level=info msg="RUN make"', "made")
    code: int = 0
    message: str = DIGEST
    pushes: str = DIGEST
    until: asyncio.Event | None = None


class Kaniko(Played):
    """Plays Kaniko: each container that starts takes the next script; without one it goes well."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__()
        self.shelf = shelf
        self.scripts: list[Script] = []
        self.started: list[Wanted] = []
        self.running = self.most = 0
        self.begun = asyncio.Event()

    async def start(self, wanted: Wanted, folder: Path) -> PlayedContainer:
        script = self.scripts.pop(0) if self.scripts else Script()
        self.started.append(wanted)
        container = KanikoContainer(Course(lines=(), seconds=0.0, exit_code=0), 0.0, wanted)
        container.script = script
        container.kaniko = self
        return container


class KanikoContainer(PlayedContainer):
    """One container of it."""

    script: Script
    kaniko: Kaniko

    async def _play(self, course: Course, pace: float) -> None:
        del course, pace
        await asyncio.sleep(0)
        script, kaniko = self.script, self.kaniko
        kaniko.running += 1
        kaniko.most = max(kaniko.most, kaniko.running)
        try:
            for line in script.lines:
                self.log.write("stdout", line.encode() + b"\n")
            kaniko.begun.set()
            if script.until:
                await script.until.wait()
            destination = next(word for word in self._wanted.command if word.startswith("--destination="))
            if script.code == 0 and "--no-push" not in self._wanted.command and script.pushes:
                kaniko.shelf.images[destination.partition("=")[2]] = script.pushes
        finally:
            kaniko.running -= 1
        self._end(script.code)

    def message(self) -> str:
        return self.script.message


@dataclass
class Workshop:
    """A cluster, a registry, and what builds said."""

    server: FakeApiServer
    shelf: Shelf
    kaniko: Kaniko
    connection: Connection
    checkout: Path
    lines: list[str] = field(default_factory=list)

    def builder(self, *, token_for: TokenFor | None = None, **settings: Any) -> KanikoBuilder:
        """Give a builder as another process would have it."""
        kaniko = KanikoSite(**settings)
        return KanikoBuilder(self.connection, self.shelf, site=SITE, kaniko=kaniko, token_for=token_for)  # type: ignore[arg-type]

    async def order(self, builder: KanikoBuilder, **other: Any) -> BuildOrder:
        key = key_of(self.checkout, Build())
        usual = {"run": "shop-1", "repository": "acme/shop", "name": "web", "key": key}
        return BuildOrder(build=Build(), checkout=str(self.checkout), **{**usual, **other})

    async def on_line(self, line: str) -> None:
        self.lines.append(line)

    async def build(self, builder: KanikoBuilder, order: BuildOrder) -> Any:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await builder.build(order, on_line=self.on_line)

    async def jobs(self) -> list[Manifest]:
        return list((await (await self.connection.client()).list(JOB, BUILDS)).items)


MakeWorkshop = Callable[..., Any]


@pytest.fixture
def open_workshop(tmp_path: Path) -> MakeWorkshop:
    @asynccontextmanager
    async def opened(*, narrow: bool = True) -> AsyncIterator[Workshop]:
        checkout = tmp_path / "checkout"
        checkout.mkdir()
        (checkout / "Dockerfile").write_text("FROM scratch\nRUN make\n")
        shelf = Shelf(narrow=narrow)
        kaniko = Kaniko(shelf)
        async with FakeApiServer(tmp_path / "api", runtime=kaniko, pace=0.01) as server:
            connection = Connection(kubeconfig=str(server.kubeconfig))
            try:
                yield Workshop(server, shelf, kaniko, connection, checkout)
            finally:
                await connection.aclose()

    return opened


@pytest.mark.parametrize("narrow", [True, False])
async def test_a_build_ends_in_an_image_by_its_digest_and_leaves_nothing(
    open_workshop: MakeWorkshop, *, narrow: bool
):
    async with open_workshop(narrow=narrow) as workshop:
        builder = workshop.builder()
        order = await workshop.order(builder)
        assert await builder.find(order) is None
        made = await workshop.build(builder, order)
        reference = workshop.shelf.reference("acme/shop", "web", order.key)
        assert (made.name, made.reference, made.digest) == ("web", f"{reference}@{DIGEST}", DIGEST)
        assert made.published == made.reference
        assert not made.cached
        assert workshop.lines[:2] == ["RUN make", "made"]
        assert workshop.shelf.revoked == workshop.shelf.granted == [job_name(order)]
        assert [one for one in await workshop.jobs() if not one["metadata"].get("deletionTimestamp")] == []
        found = await builder.find(order)
        assert found is not None
        assert (found.name, found.cached, found.reference) == ("", True, made.reference)


async def test_a_digest_that_a_dockerfile_forged_is_not_believed(open_workshop: MakeWorkshop):
    async with open_workshop() as workshop:
        workshop.kaniko.scripts = [Script(message=FORGED)]
        builder = workshop.builder()
        made = await workshop.build(builder, await workshop.order(builder))
        assert made.digest == DIGEST
        assert any(FORGED in line and "the registry's counts" in line for line in workshop.lines)


async def test_what_the_registry_does_not_have_was_not_made(open_workshop: MakeWorkshop):
    async with open_workshop() as workshop:
        workshop.kaniko.scripts = [Script(pushes="")]
        builder = workshop.builder()
        with pytest.raises(RunError, match="the registry has no") as caught:
            await workshop.build(builder, await workshop.order(builder))
        assert caught.value.fault == "platform"


async def test_a_build_that_failed_is_told_once_and_its_next_try_is_a_new_one(open_workshop: MakeWorkshop):
    async with open_workshop() as workshop:
        workshop.kaniko.scripts = [Script(lines=('level=info msg="RUN make"', "no", FAILED), code=3)]
        builder = workshop.builder()
        order = await workshop.order(builder)
        with pytest.raises(RunError, match="Dockerfile:2: RUN make failed with exit code 3\n    no"):
            await workshop.build(builder, order)
        (left,) = await workshop.jobs()
        assert GRANT not in left["metadata"]["annotations"]
        assert workshop.shelf.revoked == [job_name(order)]
        made = await workshop.build(builder, order)
        assert made.digest == DIGEST
        assert len(workshop.kaniko.started) == 2


async def test_a_build_that_was_begun_is_adopted_by_whoever_orders_it_again(open_workshop: MakeWorkshop):
    async with open_workshop() as workshop:
        until = asyncio.Event()
        workshop.kaniko.scripts = [Script(until=until)]
        order = await workshop.order(workshop.builder())
        first = asyncio.create_task(workshop.build(workshop.builder(), order))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await workshop.kaniko.begun.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert workshop.shelf.revoked == [], "it still needs its grant"
        second = asyncio.create_task(workshop.build(workshop.builder(), order))
        until.set()
        assert (await second).digest == DIGEST
        assert len(workshop.kaniko.started) == 1
        assert workshop.shelf.granted == [job_name(order)]
        assert set(workshop.shelf.revoked) == {job_name(order)}


async def test_a_build_that_ended_while_nobody_looked_is_read(open_workshop: MakeWorkshop):
    async with open_workshop() as workshop:
        until = asyncio.Event()
        workshop.kaniko.scripts = [Script(lines=("no", FAILED), code=3, until=until)]
        order = await workshop.order(workshop.builder())
        first = asyncio.create_task(workshop.build(workshop.builder(), order))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await workshop.kaniko.begun.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        until.set()
        with pytest.raises(RunError, match="exit code 3"):
            await workshop.build(workshop.builder(), order)
        assert len(workshop.kaniko.started) == 1


async def test_a_job_that_was_never_let_go_is_made_anew(open_workshop: MakeWorkshop):
    """A crash between a Job and its Secret: nobody knows the Secret's values any more."""
    async with open_workshop() as workshop:
        builder = workshop.builder()
        order = await workshop.order(builder)
        client = await workshop.connection.client()
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": _marked()})
        made = await client.create(_job(order))
        assert (await workshop.build(builder, order)).digest == DIGEST
        assert all(one["metadata"]["uid"] != made["metadata"]["uid"] for one in await workshop.jobs())


async def test_a_context_that_was_cut_off_is_sent_once_more(open_workshop: MakeWorkshop):
    async with open_workshop() as workshop:
        workshop.kaniko.scripts = [Script(lines=(CUT_OFF, "Usage:"), code=1)]
        builder = workshop.builder()
        assert (await workshop.build(builder, await workshop.order(builder))).digest == DIGEST
        assert len(workshop.kaniko.started) == 2


async def test_no_more_builds_run_than_may(open_workshop: MakeWorkshop):
    async with open_workshop() as workshop:
        builder = workshop.builder(at_once=1)
        orders = [replace(await workshop.order(builder), name=name, key=name * 32) for name in "abc"]
        await asyncio.gather(*(workshop.build(builder, order) for order in orders))
        assert (len(workshop.kaniko.started), workshop.kaniko.most) == (3, 1)


async def test_two_orders_of_one_key_are_one_build(open_workshop: MakeWorkshop):
    async with open_workshop() as workshop:
        builder = workshop.builder()
        orders = [await workshop.order(builder, run=run) for run in ("shop-1", "shop-2")]
        first, second = await asyncio.gather(*(workshop.build(builder, order) for order in orders))
        assert first.digest == second.digest
        assert len(workshop.kaniko.started) == 1


async def test_a_grant_that_a_crash_left_is_taken_back_by_the_next_process(open_workshop: MakeWorkshop):
    async with open_workshop() as workshop:
        until = asyncio.Event()
        workshop.kaniko.scripts = [Script(until=until)]
        order = await workshop.order(workshop.builder())
        first = asyncio.create_task(workshop.build(workshop.builder(), order))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await workshop.kaniko.begun.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        until.set()
        await _until_finished(workshop, job_name(order))
        other = workshop.builder()
        await workshop.build(other, await workshop.order(other, name="other", key="ff" * 32))
        assert sorted(workshop.shelf.revoked) == sorted(workshop.shelf.granted)


async def test_a_secret_is_the_job_s_own(open_workshop: MakeWorkshop):
    async with open_workshop() as workshop:
        until = asyncio.Event()
        workshop.kaniko.scripts = [Script(until=until)]
        builder = workshop.builder()
        building = asyncio.create_task(workshop.build(builder, await workshop.order(builder)))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await workshop.kaniko.begun.wait()
        (running,) = await workshop.jobs()
        client = await workshop.connection.client()
        owners = [one["metadata"]["ownerReferences"] for one in (await client.list(SECRET, BUILDS)).items]
        assert [[owner["uid"] for owner in one] for one in owners] == [[running["metadata"]["uid"]]]
        until.set()
        await building


async def test_a_pod_that_is_taken_away_is_followed_by_the_next(open_workshop: MakeWorkshop):
    async with open_workshop() as workshop:
        workshop.kaniko.scripts = [Script(until=asyncio.Event())]
        builder = workshop.builder()
        building = asyncio.create_task(workshop.build(builder, await workshop.order(builder)))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await workshop.kaniko.begun.wait()
        client = await workshop.connection.client()
        (pod,) = (await client.list(POD, BUILDS)).items
        await client.ask(
            "POST",
            POD.path(BUILDS, pod["metadata"]["name"], "eviction"),
            doing="evicting a build",
            body={
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": pod["metadata"]["name"], "namespace": BUILDS},
            },
        )
        assert (await building).digest == DIGEST
        assert len(workshop.kaniko.started) == 2


async def test_a_namespace_of_somebody_else_is_left_alone(open_workshop: MakeWorkshop):
    async with open_workshop() as workshop:
        client = await workshop.connection.client()
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": BUILDS}})
        builder = workshop.builder()
        with pytest.raises(ConflictError, match="not of this Conductor"):
            await workshop.build(builder, await workshop.order(builder))
        assert workshop.shelf.granted == []


async def test_where_images_are_built_is_no_stack(open_workshop: MakeWorkshop):
    async with open_workshop() as workshop:
        builder = workshop.builder()
        await workshop.build(builder, await workshop.order(builder))
        client = await workshop.connection.client()
        assert await client.find(NAMESPACE, BUILDS) is not None
        engine = KubernetesEngine(Connection(kubeconfig=str(workshop.server.kubeconfig)), site=SITE)
        assert await engine.namespaces() == []
        await engine.aclose()


async def _until_finished(workshop: Workshop, name: str) -> None:
    client = await workshop.connection.client()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (await client.get(JOB, name, BUILDS)).get("status", {}).get("succeeded"):  # noqa: ASYNC110 -- it tells nobody
            await asyncio.sleep(0.02)


def _marked() -> Mapping[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "conductor", "conductor.dev/instance": "here"}
    return {"name": BUILDS, "labels": labels}


def _job(order: BuildOrder) -> Manifest:
    wanted = Order(
        order=order,
        reference="registry.example.org/x:1",
        cache="",
        dockerfile_path="Dockerfile",
        fetches=False,
        grant=PushGrant(credentials=None, narrow=True),
        token="lost",
    )
    return job(wanted, site=SITE, kaniko=KanikoSite())


async def test_builds_of_a_run_that_nobody_waits_for_are_ended_and_those_of_others_go_on(
    open_workshop: MakeWorkshop,
):
    async with open_workshop() as workshop:
        builder, gate = workshop.builder(), asyncio.Event()
        workshop.kaniko.scripts = [Script(until=gate), Script(until=gate)]
        orders = [await workshop.order(builder, run=run) for run in ("shop-1", "shop-2")]
        building = []
        for order in orders:
            workshop.kaniko.begun.clear()
            building.append(asyncio.create_task(workshop.build(workshop.builder(), order)))
            await asyncio.wait_for(workshop.kaniko.begun.wait(), PATIENCE_SECONDS)
        building[0].cancel()
        await asyncio.gather(building[0], return_exceptions=True)
        await builder.stop("shop-1")
        assert [one["metadata"]["name"] for one in await workshop.jobs()] == [job_name(orders[1])]
        assert workshop.shelf.revoked == [job_name(orders[0])]
        gate.set()
        assert (await building[1]).digest == DIGEST


async def test_a_build_fetches_with_a_token_made_for_its_repository_and_without_one_where_there_is_none(
    open_workshop: MakeWorkshop,
):
    asked: list[str] = []

    async def token_for(url: str) -> str | None:
        asked.append(url)
        return "ghs_for_this_repository" if "acme/shop" in url else None

    async with open_workshop() as workshop:
        (workshop.checkout / ".dockerignore").write_text(".git\n")
        builder = workshop.builder(token_for=token_for)
        for name, url in (("web", "https://github.com/acme/shop.git"), ("api", "https://example.org/x.git")):
            remote = Remote(url=url, commit="c" * 40)
            order = await workshop.order(builder, name=name, remote=remote, key=name * 22)
            assert (await workshop.build(builder, order)).digest == DIGEST
        first, second = (one.environment for one in workshop.kaniko.started)
        assert asked == ["https://github.com/acme/shop.git", "https://example.org/x.git"]
        assert (first["GIT_USERNAME"], first["GIT_PASSWORD"]) == ("x-access-token", "ghs_for_this_repository")
        assert "GIT_PASSWORD" not in second
        sent = workshop.builder(token_for=token_for, git=None)
        await workshop.build(sent, await workshop.order(sent, name="sent", remote=remote, key="sent" * 16))
        assert len(asked) == 2, "what Conductor sends itself needs no token"
