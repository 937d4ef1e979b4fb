"""SBOMs on a cluster: what their Job may do, and what is made of its log, over an API server that plays one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.kubernetes.fake_api.containers import Wanted as WantedContainer
from tests.kubernetes.fake_api.played import Played, PlayedContainer
from tests.kubernetes.fake_api.server import FakeApiServer
from tests.unit.kubernetes.pod_security import breaks
from tests.unit.kubernetes.schemas import LAST_THREE, errors

from conductor.adapters.fake.shell import Course
from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.api.kinds import JOB, POD, SECRET
from conductor.adapters.kubernetes.kaniko.sbom_job import Wanted, job, job_name, owned
from conductor.adapters.kubernetes.kaniko.sboms import SyftJobs
from conductor.adapters.kubernetes.kaniko.site import KanikoSite
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.errors import RunError
from conductor.ports.registry import Credentials

IMAGE = f"registry.example.org/acme_shop/backend@sha256:{'a' * 64}"
WHO = Credentials(server="registry.example.org", username="puller", password="a-password")
SITE, BUILDS = Site(instance="here"), "conductor-builds-here"
KANIKO = KanikoSite(ca="-----BEGIN CERTIFICATE-----\n", insecure=("registry.example.org",))
WANTED = Wanted(image=IMAGE, tool="docker.io/anchore/syft:v1.18.1", credentials=WHO)
DOCUMENT = json.dumps({"bomFormat": "CycloneDX", "components": []})
PATIENCE_SECONDS = 20.0


@pytest.mark.parametrize("version", LAST_THREE)
def test_every_version_takes_the_job_and_what_it_mounts(version: str):
    made = job(WANTED, site=SITE, kaniko=KANIKO)
    things = [*owned(WANTED, {**made["metadata"], "uid": "u-1"}, site=SITE, kaniko=KANIKO)]
    assert [thing["kind"] for thing in things] == ["Secret", "ConfigMap"]
    assert [error for thing in (made, *things) for error in errors(thing, version)] == []


def test_the_tool_has_no_right_at_all_and_the_job_no_secret_value():
    made = job(WANTED, site=SITE, kaniko=KANIKO)
    assert breaks("restricted", made["spec"]["template"]) == []
    assert "a-password" not in json.dumps(made)


def test_without_account_and_authority_nothing_is_mounted_but_a_scratch_folder():
    wanted = Wanted(image=IMAGE, tool="syft", credentials=None)
    made = job(wanted, site=SITE, kaniko=KanikoSite())
    assert [one["name"] for one in made["spec"]["template"]["spec"]["volumes"]] == ["tmp"]
    assert list(owned(wanted, {**made["metadata"], "uid": "u-1"}, site=SITE, kaniko=KanikoSite())) == []


class Syft(Played):
    """Plays the tool: each container writes these lines and ends so."""

    def __init__(self, *lines: str, code: int = 0) -> None:
        super().__init__()
        self.lines, self.code = lines, code
        self.started: list[WantedContainer] = []

    async def start(self, wanted: WantedContainer, folder: Path) -> PlayedContainer:
        del folder
        self.started.append(wanted)
        lines = tuple((0.0, "stdout", line) for line in self.lines)
        return PlayedContainer(Course(lines=lines, seconds=0.0, exit_code=self.code), 0.0, wanted)


Open = Callable[[Syft], Any]


@pytest.fixture
def cluster(tmp_path: Path) -> Open:
    @asynccontextmanager
    async def opened(tool: Syft) -> AsyncIterator[Connection]:
        async with FakeApiServer(tmp_path / "api", runtime=tool, pace=0.01) as server:
            connection = Connection(kubeconfig=str(server.kubeconfig))
            try:
                yield connection
            finally:
                await connection.aclose()

    return opened


async def _sbom(connection: Connection) -> bytes:
    jobs = SyftJobs(connection, site=SITE, kaniko=KANIKO, tool=WANTED.tool)
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await jobs.sbom(IMAGE, credentials=WHO)


async def _left(connection: Connection) -> list[str]:
    """Return what is there once what goes has gone."""
    client = await connection.client()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = [
                one["metadata"]["name"]
                for kind in (JOB, POD, SECRET)
                for one in (await client.list(kind, BUILDS)).items
            ]
            if not found:
                return found
            await asyncio.sleep(0.01)


async def test_the_document_is_taken_out_of_the_log_and_nothing_is_left(cluster: Open):
    tool = Syft("[0000]  WARN unable to read a package", DOCUMENT, "[0001]  WARN another")
    async with cluster(tool) as connection:
        assert json.loads(await _sbom(connection)) == json.loads(DOCUMENT)
        assert await _left(connection) == []
    assert len(tool.started) == 1


async def test_a_tool_that_fails_is_told_in_its_last_words_and_is_not_run_again(cluster: Open):
    tool = Syft("[0000] ERROR one thing", "[0000] ERROR UNAUTHORIZED: authentication required", code=1)
    async with cluster(tool) as connection:
        with pytest.raises(RunError, match="UNAUTHORIZED") as caught:
            await _sbom(connection)
        assert await _left(connection) == []
    assert "CONDUCTOR_SBOM_IMAGE" in caught.value.remedy
    assert len(tool.started) == 1


async def test_a_job_that_a_crash_left_suspended_is_let_go_and_one_that_runs_is_adopted(cluster: Open):
    tool = Syft(DOCUMENT)
    async with cluster(tool) as connection:
        client = await connection.client()
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": _of_conductor()})
        await client.create(job(WANTED, site=SITE, kaniko=KANIKO))
        assert json.loads(await _sbom(connection)) == json.loads(DOCUMENT)
        made = await client.create(job(WANTED, site=SITE, kaniko=KANIKO))
        assert made is not None
        for thing in owned(WANTED, made["metadata"], site=SITE, kaniko=KANIKO):
            await client.create(thing)
        await client.patch(JOB, job_name(IMAGE), {"spec": {"suspend": False}}, BUILDS)
        assert json.loads(await _sbom(connection)) == json.loads(DOCUMENT)
    assert len(tool.started) == 2


def _of_conductor() -> dict[str, Any]:
    labels = job(WANTED, site=SITE, kaniko=KANIKO)["metadata"]["labels"]
    return {"name": BUILDS, "labels": labels}
