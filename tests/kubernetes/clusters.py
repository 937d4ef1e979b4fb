"""The clusters that tests run on: the fake API server, and the real one that `CONDUCTOR_TEST_KUBECONFIG` names.

On a real cluster's nodes are the busybox of `tests/engines.py` (or what `CONDUCTOR_TEST_IMAGE` names) and the image of `deploy/tools`
(`CONDUCTOR_TEST_TOOLS_IMAGE`): nothing is pulled. The fake runs them as processes of this machine.
"""

from __future__ import annotations

import importlib.util
import io
import os
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engines import BUSYBOX, _image, _static_busybox
from tests.kubernetes.fake_api import FakeApiServer
from tests.kubernetes.fake_api.containers import Image, Processes, can_run

KUBECONFIG = os.environ.get("CONDUCTOR_TEST_KUBECONFIG", "")
IMAGE = os.environ.get("CONDUCTOR_TEST_IMAGE", BUSYBOX)
TOOLS = os.environ.get("CONDUCTOR_TEST_TOOLS_IMAGE", "localhost/conductor/tools:1")
FAKE, REAL = "fake", pytest.param("real", marks=pytest.mark.cluster)
_MAKE_TOOLS = Path(__file__).parents[2] / "deploy" / "tools" / "make_image.py"


@dataclass(frozen=True)
class Cluster:
    """Where a test runs. `fake` is the server itself, where it is one."""

    kubeconfig: str
    image: str = IMAGE
    tools: str = TOOLS
    fake: FakeApiServer | None = None


@pytest.fixture(scope="session")
def node_images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image]:
    """The images on the fake's node, as folders."""
    if not can_run():
        pytest.skip(
            "no namespaces on this machine: containers of the fake API server need unshare(1), as root or as any user"
        )
    root = tmp_path_factory.mktemp("images")
    with tarfile.open(fileobj=io.BytesIO(_image(_static_busybox()))) as layer:
        layer.extractall(root / "busybox", filter="tar")
    _make_tools().lay_out(root / "tools")
    busybox = Image(root=root / "busybox", command=("/bin/sh",))
    return {IMAGE: busybox, TOOLS: Image(root=root / "tools")}


def _make_tools():  # noqa: ANN202 -- a module
    specification = importlib.util.spec_from_file_location("make_image", _MAKE_TOOLS)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(params=[FAKE, REAL])
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    """A cluster of each kind."""
    if request.param == "real":
        if not KUBECONFIG:
            pytest.skip("no cluster to test with: name its kubeconfig in CONDUCTOR_TEST_KUBECONFIG")
        yield Cluster(KUBECONFIG)
        return
    images = request.getfixturevalue("node_images")
    async with FakeApiServer(tmp_path / "fake", runtime=Processes(), images=images) as server:
        yield Cluster(str(server.kubeconfig), fake=server)
