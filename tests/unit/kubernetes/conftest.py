"""What tests of a test pod's tools need, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.unit.kubernetes.tools import SCRIPTS, Pod, is_static, static_tini


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with busybox, tini, run and collect; skips where the busybox cannot be had."""
    folder = tmp_path_factory.mktemp("tools")
    busybox = shutil.which("busybox")
    if busybox is None or not is_static(busybox):
        pytest.skip("no static busybox on this machine: install busybox-static")
    shutil.copy(busybox, folder / "busybox")
    for script in ("run", "collect"):
        shutil.copy(SCRIPTS / script, folder / script)
    return folder


@pytest.fixture
def pod(tools: Path, tmp_path: Path) -> Pod:
    """Fresh folders for one test."""
    made = Pod(
        tools=tools, work=tmp_path / "work", results=tmp_path / "results", scratch=tmp_path / "scratch"
    )
    for folder in (made.work, made.results, made.scratch):
        folder.mkdir()
    return made


@pytest.fixture(scope="session")
def tini(tools: Path) -> Path:
    """Debian's tini, without libraries."""
    return static_tini(tools)
