"""The files of a checkout, read once and packed the same each time."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from conductor.adapters.kubernetes.manifests.files import (
    LARGEST_TREE_BYTES,
    File,
    archive_of,
    below,
    pack,
    read_files,
)
from conductor.domain.stack import BindMount, FileMount, Service, Stack


def stack(*sources: str) -> Stack:
    mounts = tuple(BindMount(source=source, target=f"/{number}") for number, source in enumerate(sources))
    return Stack(
        name="s", services=(Service(name="a", mounts=(*mounts, FileMount(target="/c", source="c.txt"))),)
    )


def test_what_is_mounted_is_read_and_nothing_else(tmp_path: Path):
    for name in ("conf/a", "conf/sub/b", "c.txt", "other"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "conf/a").chmod(0o755)
    (tmp_path / "conf/link").symlink_to("a")
    made = read_files(str(tmp_path), stack("./conf", "conf/sub", "gone"))
    assert made == {
        "conf/a": File(content=b"conf/a", executable=True),
        "conf/link": File(link="a"),
        "conf/sub/b": File(content=b"conf/sub/b"),
        "c.txt": File(content=b"c.txt"),
    }
    assert read_files("", stack("conf")) == {}


def test_a_link_that_leads_out_of_the_checkout_shows_nothing(tmp_path: Path):
    (tmp_path / "secret").write_text("x")
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "way").symlink_to("../secret")
    (checkout / "folder").symlink_to("..")
    assert read_files(str(checkout), stack("way", "folder", "folder/secret")) == {}
    with tarfile.open(fileobj=io.BytesIO(archive_of(str(checkout), "folder", under="data"))) as archive:
        assert archive.getnames() == ["data"]


def test_a_large_tree_stays_on_the_disk_until_it_is_packed(tmp_path: Path):
    (tmp_path / "big").mkdir()
    with (tmp_path / "big/blob").open("wb") as file:
        file.truncate(LARGEST_TREE_BYTES + 1)
    made = read_files(str(tmp_path), stack("big"))
    assert made["big/blob"].content is None
    with tarfile.open(fileobj=io.BytesIO(archive_of(str(tmp_path), "big", under="data"))) as archive:
        assert [(entry.name, entry.size) for entry in archive] == [
            ("data", 0),
            ("data/blob", LARGEST_TREE_BYTES + 1),
        ]


def test_one_file_is_packed_under_the_name_alone(tmp_path: Path):
    (tmp_path / "one").write_text("1")
    with tarfile.open(fileobj=io.BytesIO(archive_of(str(tmp_path), "one", under="data"))) as archive:
        assert archive.getnames() == ["data"]


def test_the_same_files_give_the_same_archive():
    files = {"b": File(content=b"2"), "a/x": File(content=b"1")}
    assert pack(files, under="data") == pack(dict(reversed(files.items())), under="data")


def test_a_folder_is_not_another_that_begins_like_it():
    assert below({"ab/c": File()}, "a") == {}
    assert below({"a": File(content=b"1")}, "a") == {"": File(content=b"1")}


def test_no_packed_file_is_older_than_a_zip_can_say():
    with tarfile.open(
        fileobj=io.BytesIO(pack({"a/b": File(), "l": File(link="a")}, under="data"))
    ) as archive:
        assert {entry.mtime for entry in archive} == {946684800}
