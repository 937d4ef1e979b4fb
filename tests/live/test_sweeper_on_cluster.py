"""The sweeper as it is shipped, on a real cluster: its pod is admitted, removes what is over and leaves the rest.

`CONDUCTOR_TEST_CONDUCTOR_IMAGE` names Conductor's image, which is on the nodes: nothing is pulled.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.connection import connect
from conductor.adapters.kubernetes.api.kinds import POD, Manifest
from conductor.domain.lease import Lease
from conductor.ports.engine import Place
from tests.contract.test_kubernetes_engine import engine
from tests.kubernetes.clusters import KUBECONFIG, Cluster
from tests.kubernetes.installed import Installed, installed
from tests.unit.deploy.rendered import helm

__all__ = ["installed"]
pytestmark = pytest.mark.cluster
IMAGE = os.environ.get("CONDUCTOR_TEST_CONDUCTOR_IMAGE", "")
PATIENCE = 90.0
"""Seconds."""


@pytest.fixture
async def admin() -> AsyncIterator[Client]:
    client = connect(KUBECONFIG)
    yield client
    await client.aclose()


async def test_the_sweeper_removes_what_is_over_and_leaves_the_rest(
    installed: Installed, admin: Client
) -> None:
    if not IMAGE:
        pytest.skip(
            "no image to run: name Conductor's, as it is on the nodes, in CONDUCTOR_TEST_CONDUCTOR_IMAGE"
        )
    run = uuid4().hex[:8]
    own, other = (engine(Cluster(KUBECONFIG), name) for name in (installed.name, f"{installed.name}-other"))
    try:
        for one, name, ends in ((own, "over", -1), (own, "kept", 600), (other, "others", -1)):
            namespace = f"{installed.name}-{run}-{name}"
            now = datetime.now(UTC)
            lease = Lease(
                namespace=namespace,
                run=run,
                repository="",
                created_at=now - timedelta(hours=1),
                expires_at=now + timedelta(seconds=ends),
            )
            await one.create_namespace(Place(namespace=namespace, run=run), lease)
        said = await swept(admin, installed)
        assert said == f"removed: {installed.name}-{run}-over; left: 1"
        left = [space.name for one in (own, other) for space in await one.namespaces()]
        assert left == [f"{installed.name}-{run}-kept", f"{installed.name}-{run}-others"]
    finally:
        for one in (own, other):
            for space in await one.namespaces():
                await one.delete_namespace(space.name)
            await one.aclose()


async def swept(admin: Client, installed: Installed) -> str:
    """Start the CronJob's Job, as the clock would; return the last line of what it said."""
    job = sweeper(installed)
    await admin.create(job)
    async with asyncio.timeout(PATIENCE):
        while not (pod := await ended(admin, installed)):  # noqa: ASYNC110 -- the clock is the cluster's
            await asyncio.sleep(0.5)
    assert pod["status"]["phase"] == "Succeeded", pod["status"]
    log = await admin.http.get(POD.path(installed.name, pod["metadata"]["name"], "log"))
    return log.text.splitlines()[-1]


def sweeper(installed: Installed) -> Manifest:
    name, _, tag = IMAGE.rpartition(":")
    made = helm(
        namespace=installed.name,
        instance=installed.name,
        image={"name": name, "tag": tag, "pullPolicy": "Never"},
    )
    template = next(thing for thing in made if thing["kind"] == "CronJob")["spec"]["jobTemplate"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "sweep", "namespace": installed.name},
        "spec": template["spec"],
    }


async def ended(admin: Client, installed: Installed) -> Manifest | None:
    pods = (await admin.list(POD, installed.name)).items
    return next((pod for pod in pods if pod["status"].get("phase") in ("Succeeded", "Failed")), None)
