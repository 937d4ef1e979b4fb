"""What a workflow brought is in the containers that it was brought for, as it is on GitHub; on the fake cluster, with real processes."""

from __future__ import annotations

from pathlib import Path

from tests.kubernetes.clusters import IMAGE, TOOLS, node_images
from tests.kubernetes.fake_api import FakeApiServer
from tests.kubernetes.fake_api.containers import Image, Processes
from tests.syncing.conftest import playing
from tests.syncing.consumers import CONSUMERS, VALUES, expected, hashes, on_github

__all__ = ["node_images"]


async def test_workspace_test_job_and_service_see_exactly_their_own_keys(
    tmp_path: Path, node_images: dict[str, Image]
) -> None:
    server = FakeApiServer(tmp_path / "cluster", runtime=Processes(), images=node_images)
    async with (
        server,
        playing(tmp_path, kubeconfig=str(server.kubeconfig), values=on_github(), tools_image=TOOLS) as stage,
    ):
        receipt = await stage.secrets().sync(stage.run, CONSUMERS)
        assert set(receipt.secrets) == set(CONSUMERS)
        assert await hashes(stage, IMAGE) == expected()
    for value in VALUES.values():
        assert value not in stage.actions.log
