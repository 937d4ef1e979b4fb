"""What of a checkout goes into an image, and under which key."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.building.context import archive, content_key, read_context
from conductor.building.ignore import Ignore
from conductor.domain.stack import Build
from conductor.errors import RefusedError, RunError

DOCKERFILE = "FROM scratch\nCOPY . .\n"


def a_checkout(folder: Path, files: dict[str, str]) -> Path:
    for name, text in {"Dockerfile": DOCKERFILE, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def key_of(checkout: Path, build: Build | None = None) -> str:
    build = build or Build()
    return content_key(read_context(checkout, build), build)


def names_in(checkout: Path, build: Build | None = None) -> list[str]:
    return [item.path for item in read_context(checkout, build or Build()).items]


def unpacked(checkout: Path, build: Build | None = None) -> dict[str, tarfile.TarInfo]:
    stream = io.BytesIO(b"".join(archive(read_context(checkout, build or Build()))))
    with tarfile.open(fileobj=stream, mode="r:") as tar:
        return {member.name: member for member in tar.getmembers()}


# The table of the documentation, and of moby's own tests (patternmatcher_test.go).
@pytest.mark.parametrize(
    ("text", "path", "left_out"),
    [
        ("*/temp*", "somedir/temporary.txt", True),
        ("*/temp*", "a/b/temporary.txt", False),
        ("*/*/temp*", "somedir/subdir/temporary.txt", True),
        ("temp?", "tempa", True),
        ("temp?", "temp", False),
        ("**/*.go", "main.go", True),
        ("**/*.go", "a/b/c/main.go", True),
        ("*.md\n!README.md", "README.md", False),
        ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", True),
        ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", False),
        ("node_modules", "node_modules/left-pad/index.js", True),
        ("node_modules", "web/node_modules/index.js", False),
        ("**/node_modules", "web/node_modules/index.js", True),
        ("**/node_modules/**", "web/node_modules/a/b", True),
        ("/foo/bar", "foo/bar", True),
        ("foo/", "foo/x", True),
        ("./foo", "foo", True),
        ("foo/../bar", "bar", True),
        ("*\n!src", "src/main.c", False),
        ("*\n!src/**/*.c", "src/deep/main.c", False),
        ("*\n!src/**/*.c", "src/deep/main.h", True),
        ("# a comment\nfoo", "foo", True),
        ("# a comment", "# a comment", False),
        ("  foo  ", "foo", True),
        ("\ufefffoo", "foo", True),
        ("[a-c].txt", "b.txt", True),
        ("[^a-c].txt", "b.txt", False),
        (r"\*.txt", "*.txt", True),
        (r"\*.txt", "a.txt", False),
        ("a.b", "axb", False),
        (".", "anything", False),
        ("**", "any/thing", True),
        ("a**c", "a/b/c", True),
        ("[", "[", True),
        ("!", "x", False),
    ],
)
def test_patterns_mean_what_docker_says_they_mean(text: str, path: str, *, left_out: bool):
    assert (path in Ignore(text)) is left_out


@given(st.text(max_size=80), st.text(alphabet="abc/*.", min_size=1, max_size=20))
def test_no_ignore_file_whatever_is_in_it_breaks_the_reader(text: str, path: str):
    assert (path in Ignore(text)) in (True, False)


def test_the_key_is_the_same_for_the_same_content_in_another_place_at_another_time(tmp_path: Path):
    first = a_checkout(tmp_path / "one", {"src/a.js": "1", "b.txt": "2"})
    second = a_checkout(tmp_path / "two", {"b.txt": "2", "src/a.js": "1"})
    os.utime(second / "b.txt", (1, 1))
    (second / "b.txt").chmod(0o600)
    assert key_of(first) == key_of(second)


def test_the_repositorys_own_git_folder_changes_nothing(tmp_path: Path):
    checkout = a_checkout(tmp_path, {"a": "1"})
    before = key_of(checkout)
    a_checkout(tmp_path, {".git/HEAD": "ref: refs/heads/other"})
    assert key_of(checkout) == before
    assert ".git" not in names_in(checkout)


def change_content(checkout: Path) -> None:
    (checkout / "a").write_text("2")


def make_executable(checkout: Path) -> None:
    (checkout / "a").chmod(0o755)


def rename(checkout: Path) -> None:
    (checkout / "a").rename(checkout / "c")


def add_an_empty_folder(checkout: Path) -> None:
    (checkout / "empty").mkdir()


def point_the_link_elsewhere(checkout: Path) -> None:
    (checkout / "link").unlink()
    (checkout / "link").symlink_to("b")


def change_the_dockerfile(checkout: Path) -> None:
    (checkout / "Dockerfile").write_text("FROM scratch\n")


@pytest.mark.parametrize(
    "change",
    [
        change_content,
        make_executable,
        rename,
        add_an_empty_folder,
        point_the_link_elsewhere,
        change_the_dockerfile,
    ],
)
def test_the_key_changes_with_all_that_the_image_is_made_of(tmp_path: Path, change: Callable[[Path], None]):
    checkout = a_checkout(tmp_path, {"a": "1", "b": "1"})
    (checkout / "link").symlink_to("a")
    before = key_of(checkout)
    change(checkout)
    assert key_of(checkout) != before


@pytest.mark.parametrize(
    "other",
    [
        {"args": {"VERSION": "2"}},
        {"target": "test"},
        {"platform": "linux/arm64"},
        {"labels": {"team": "shop"}},
        {"dockerfile_inline": "FROM scratch\n"},
    ],
)
def test_the_key_changes_with_what_the_build_is_told(tmp_path: Path, other: dict[str, Any]):
    checkout = a_checkout(tmp_path, {})
    assert key_of(checkout, replace(Build(args={"VERSION": "1"}), **other)) != key_of(
        checkout, Build(args={"VERSION": "1"})
    )


def test_a_key_does_not_confuse_a_name_with_a_content(tmp_path: Path):
    first = a_checkout(tmp_path / "one", {"ab": "c"})
    second = a_checkout(tmp_path / "two", {"a": "bc"})
    assert key_of(first) != key_of(second)


def test_what_is_ignored_neither_travels_nor_counts(tmp_path: Path):
    checkout = a_checkout(tmp_path, {".dockerignore": "*.log\nnode_modules", "a": "1", "x.log": "1"})
    before = key_of(checkout)
    a_checkout(checkout, {"x.log": "2", "node_modules/p/i.js": ""})
    assert key_of(checkout) == before
    assert names_in(checkout) == [".dockerignore", "Dockerfile", "a"]


def test_a_folder_is_looked_into_when_a_later_pattern_takes_something_back(tmp_path: Path):
    checkout = a_checkout(
        tmp_path, {".dockerignore": "docs\n!docs/keep.md", "docs/keep.md": "", "docs/no.md": ""}
    )
    assert "docs/keep.md" in names_in(checkout)
    assert "docs/no.md" not in names_in(checkout)


def test_the_dockerfiles_own_ignore_file_takes_the_place_of_the_general_one(tmp_path: Path):
    checkout = a_checkout(
        tmp_path,
        {
            "Dockerfile.test": DOCKERFILE,
            "Dockerfile.test.dockerignore": "b",
            ".dockerignore": "a",
            "a": "",
            "b": "",
        },
    )
    assert names_in(checkout, Build(dockerfile="Dockerfile.test")) == [
        ".dockerignore", "Dockerfile", "Dockerfile.test", "Dockerfile.test.dockerignore", "a",
    ]  # fmt: skip
    assert "b" not in names_in(checkout, Build(dockerfile="Dockerfile.test"))


def test_an_ignored_dockerfile_still_reaches_the_engine(tmp_path: Path):
    checkout = a_checkout(tmp_path, {".dockerignore": "Dockerfile\n.dockerignore", "a": ""})
    assert names_in(checkout) == ["a"]
    assert set(unpacked(checkout)) == {"a", "Dockerfile", ".dockerignore"}


def test_a_dockerfile_from_outside_the_context_is_added_and_hidden(tmp_path: Path):
    checkout = a_checkout(tmp_path, {"web/page.html": "", "docker/web.Dockerfile": DOCKERFILE})
    build = Build(context="web", dockerfile="docker/web.Dockerfile")
    context = read_context(checkout, build)
    assert context.dockerfile_path in unpacked(checkout, build)
    assert context.dockerfile_path in context.added[".dockerignore"].decode()


def test_an_inline_dockerfile_needs_no_file(tmp_path: Path):
    (tmp_path / "a").write_text("")
    build = Build(dockerfile_inline="FROM scratch\n")
    assert read_context(tmp_path, build).dockerfile_path in unpacked(tmp_path, build)


def test_the_archive_says_what_is_there(tmp_path: Path):
    checkout = a_checkout(
        tmp_path, {"run.sh": "#!/bin/sh\n", "deep/" + "x" * 120 + ".txt": "long", "umlaut-ä": "ä"}
    )
    (checkout / "run.sh").chmod(0o750)
    (checkout / "link").symlink_to("run.sh")
    (checkout / "empty").mkdir()
    members = unpacked(checkout)
    assert members["run.sh"].mode == 0o755
    assert members["link"].issym()
    assert members["link"].linkname == "run.sh"
    assert members["empty"].isdir()
    assert members["deep/" + "x" * 120 + ".txt"].size == 4
    assert members["umlaut-ä"].size == 2


def test_a_file_that_shrinks_while_it_travels_leaves_a_readable_archive(tmp_path: Path):
    checkout = a_checkout(tmp_path, {"a": "x" * 5000, "b": "after"})
    context = read_context(checkout, Build())
    (checkout / "a").write_text("short")
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive(context))), mode="r:") as tar:
        after = tar.extractfile("b")
        assert after is not None
        assert after.read() == b"after"


def test_pipes_and_sockets_are_no_content(tmp_path: Path):
    checkout = a_checkout(tmp_path, {"a": ""})
    before = key_of(checkout)
    os.mkfifo(checkout / "pipe")
    assert key_of(checkout) == before


@pytest.mark.parametrize(
    "build",
    [
        Build(context=".."),
        Build(context="out"),
        Build(context="out/deeper"),
        Build(dockerfile="../secret"),
        Build(dockerfile="Dockerfile.link"),
        Build(context="ignores"),
    ],
)
def test_no_path_and_no_symlink_leads_a_build_out_of_the_checkout(tmp_path: Path, build: Build):
    (tmp_path / "secret").write_text("FROM scratch\n")
    (tmp_path / "elsewhere/deeper").mkdir(parents=True)
    checkout = a_checkout(tmp_path / "checkout", {"ignores/a": ""})
    (checkout / "out").symlink_to(tmp_path / "elsewhere")
    (checkout / "Dockerfile.link").symlink_to(tmp_path / "secret")
    (checkout / "ignores/.dockerignore").symlink_to(tmp_path / "secret")
    with pytest.raises(RefusedError, match="leads out of the repository"):
        read_context(checkout, build)


def test_a_symlink_that_points_out_travels_as_a_symlink_and_is_never_read(tmp_path: Path):
    (tmp_path / "secret").write_text("hidden")
    checkout = a_checkout(tmp_path / "checkout", {})
    (checkout / "link").symlink_to(tmp_path / "secret")
    (checkout / "folder").symlink_to(tmp_path)
    stream = b"".join(archive(read_context(checkout, Build())))
    assert b"hidden" not in stream
    assert names_in(checkout) == ["Dockerfile", "folder", "link"]


@pytest.mark.parametrize("build", [Build(context="nowhere"), Build(dockerfile="Dockerfile.nowhere")])
def test_what_is_not_there_is_the_repositorys_fault(tmp_path: Path, build: Build):
    with pytest.raises(RunError, match="nowhere") as caught:
        read_context(a_checkout(tmp_path, {}), build)
    assert (caught.value.reason, caught.value.fault) == ("BuildFailed", "repository")
