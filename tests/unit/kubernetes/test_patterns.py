"""Globs mean in the pod what they mean in `conductor.domain.globs`: compared with the busybox that reads them there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conductor.adapters.kubernetes.manifests.patterns import pattern
from conductor.domain.globs import matches

NAMES = ("a", "b.xml", "a.xml", "deep", "x*y", "[z]", "c+d", "e^f$", "(g)", "back\\slash")
GLOB_PARTS = (
    "*",
    "**",
    "?",
    "a",
    "*.xml",
    "deep",
    "x*y",
    "[z]",
    "c+d",
    "e^f$",
    "(g)",
    "back\\slash",
    "?.xml",
)


def found(tools: Path, folder: Path, glob: str) -> set[str]:
    meant = pattern(glob)
    root = f"./{meant.root}".rstrip("/")
    regex = rf"\./{meant.regex}"
    answer = subprocess.run(
        [f"{tools}/busybox", "find", root, "-type", "f", "-regex", regex],
        cwd=folder, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return {name.removeprefix("./") for name in answer.stdout.splitlines()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    for one in NAMES:
        (folder / one).mkdir()
        for two in NAMES:
            if two == "deep":
                (folder / one / two).mkdir()
                (folder / one / two / "a.xml").touch()
            else:
                (folder / one / two).touch()
    (folder / "top.xml").touch()
    return folder


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.sampled_from(GLOB_PARTS), min_size=1, max_size=4), folder=st.booleans())
def test_a_glob_means_the_same_in_the_pod(tools: Path, tree: Path, parts: list[str], *, folder: bool):
    glob = "/".join(parts) + ("/" if folder else "")
    paths = [str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()]
    assert found(tools, tree, glob) == {path for path in paths if matches(glob, path)}


@pytest.mark.parametrize(
    ("glob", "base", "root"),
    [
        ("./reports//x/../*.xml", ".", "reports"),
        ("../../out/", "../..", "out"),
        ("/tmp/**/x", "/", "tmp"),
        (".", ".", ""),
        ("/", "/", ""),
        ("..", "..", ""),
    ],
)
def test_where_a_glob_is_searched_is_worked_out(glob: str, base: str, root: str):
    assert (pattern(glob).base, pattern(glob).root) == (base, root)
