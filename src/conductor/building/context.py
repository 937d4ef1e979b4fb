"""Build contexts: what of a checkout goes into an image, under one key, and as a tar stream.

Law: the key is the same for the same content on any machine: it knows paths, contents, which files are executable, and where symlinks
point, and nothing of owners and times. No symlink is ever followed out of the checkout. The context's own `.git` is no part of it, as
BuildKit has it for contexts from git. Sockets, pipes and devices are no content.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from conductor.building.ignore import Ignore
from conductor.domain.stack import Build
from conductor.errors import RefusedError, RunError

CHUNK = 1 << 20
"""Bytes read at once: what a build of any size takes of memory."""

IGNORE_FILE = ".dockerignore"
_EXECUTABLE = stat.S_IXUSR


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One file, folder or symlink of a context. `path` is relative to the context, with `/`."""

    path: str
    kind: Literal["file", "folder", "link"]
    executable: bool = False
    target: str = ""
    size_bytes: int = 0
    modified: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """A context as `.dockerignore` leaves it, with the text of the Dockerfile and where the engine finds that in the archive."""

    root: Path
    items: tuple[Item, ...]
    dockerfile: str
    dockerfile_path: str
    added: Mapping[str, bytes] = field(default_factory=dict)
    """Files that the archive has besides, instead of or over those of the tree; instructions of the Dockerfile do not see them."""


def read_context(checkout: Path, build: Build) -> Context:
    """Look at what a build takes from the checkout. Raises `RefusedError` where it leads out of it, `RunError` where it is not there."""
    root = inside(checkout, build.context)
    if not root.is_dir():
        raise _missing(f"the build context {build.context} is no folder of the repository")
    dockerfile = _dockerfile_text(checkout, build)
    ignored, is_own = _ignore_file(checkout, build, root)
    items = tuple(sorted(_walk(root, "", Ignore(ignored)), key=lambda item: os.fsencode(item.path)))
    path, added = _place(root, checkout, build, dockerfile, items, own_ignore=is_own)
    return Context(root=root, items=items, dockerfile=dockerfile, dockerfile_path=path, added=added)


def inside(checkout: Path, relative: str) -> Path:
    """Resolve a path of the repository; `RefusedError` where `..`, or a symlink on the way, leads out of the checkout."""
    home = checkout.resolve()
    resolved = (home / relative).resolve()
    if resolved != home and home not in resolved.parents:
        raise RefusedError(
            f"{relative} leads out of the repository",
            remedy="Builds take files of the repository only: copy what is needed into it.",
        )
    return resolved


def key_of(checkout: Path, build: Build) -> str:
    """Work out the key of what is in the checkout now."""
    return content_key(read_context(checkout, build), build)


def content_key(context: Context, build: Build) -> str:
    """Work out the key: 64 hex digits over everything that makes the image what it is."""
    digest = hashlib.sha256(b"conductor build 1\0")
    for word in _recipe(context, build):
        digest.update(os.fsencode(word) + b"\0")
    for item in context.items:
        digest.update(_header(item))
        if item.kind == "file":
            digest.update(_file_digest(context.root / item.path))
    return digest.hexdigest()


def archive(context: Context) -> Iterator[bytes]:
    """Yield the context as a tar archive, piece by piece: no file is in memory whole."""
    for item in context.items:
        if item.path not in context.added:
            yield from _archived(context.root, item)
    for path, content in context.added.items():
        yield _tar_header(path, tarfile.REGTYPE, size=len(content)) + _padded(content)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


def _recipe(context: Context, build: Build) -> Iterator[str]:
    yield context.dockerfile
    yield context.dockerfile_path if not build.dockerfile_inline else ""
    yield build.target or ""
    yield build.platform or ""
    for name, values in (("args", build.args), ("labels", build.labels)):
        yield name
        for key in sorted(values):
            yield f"{key}={values[key]}"
    yield "tree"


def _dockerfile_text(checkout: Path, build: Build) -> str:
    if build.dockerfile_inline is not None:
        return build.dockerfile_inline
    path = inside(checkout, build.dockerfile)
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise _missing(f"there is no Dockerfile at {build.dockerfile}: {error.strerror}") from error


def _missing(message: str) -> RunError:
    return RunError(
        message,
        reason="BuildFailed",
        fault="repository",
        remedy="Correct `build.context` and `build.dockerfile`, or add the file.",
    )


def _ignore_file(checkout: Path, build: Build, root: Path) -> tuple[str, bool]:
    """Return the text of the ignore file that counts, and whether it is the Dockerfile's own."""
    if build.dockerfile_inline is None:
        own = inside(checkout, build.dockerfile + IGNORE_FILE)
        if own.is_file():
            return own.read_text(encoding="utf-8", errors="replace"), True
    relative = os.path.relpath(root / IGNORE_FILE, checkout.resolve())
    general = inside(checkout, relative)
    return (general.read_text(encoding="utf-8", errors="replace") if general.is_file() else ""), False


def _walk(root: Path, folder: str, ignore: Ignore) -> Iterator[Item]:
    with os.scandir(root / folder) as entries:
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if path == ".git":
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and not ignore.leaves_out_all_of(path):
                yield from _walk(root, path, ignore)
            if path not in ignore and (item := _item(entry, path)):
                yield item


def _item(entry: os.DirEntry[str], path: str) -> Item | None:
    found = entry.stat(follow_symlinks=False)
    when = int(found.st_mtime)
    if stat.S_ISLNK(found.st_mode):
        return Item(path=path, kind="link", target=str(Path(entry.path).readlink()), modified=when)
    if stat.S_ISDIR(found.st_mode):
        return Item(path=path, kind="folder", modified=when)
    if stat.S_ISREG(found.st_mode):
        runs = bool(found.st_mode & _EXECUTABLE)
        return Item(path=path, kind="file", executable=runs, size_bytes=found.st_size, modified=when)
    return None


def _place(
    root: Path, checkout: Path, build: Build, dockerfile: str, items: tuple[Item, ...], *, own_ignore: bool
) -> tuple[str, dict[str, bytes]]:
    """Decide where the Dockerfile is in the archive, and which files have to be added and hidden from COPY for that.

    A Dockerfile of the tree stays where it is. One from elsewhere, or one that is ignored, is added and named in an ignore file of the
    archive, as Docker's own client does. That ignore file also takes the place of one that must not count.
    """
    in_tree = {item.path for item in items if item.kind == "file"}
    path = (
        "" if build.dockerfile_inline is not None else _relative_to(root, inside(checkout, build.dockerfile))
    )
    if path in in_tree and not own_ignore:
        return path, {}
    added: dict[str, bytes] = {}
    if path not in in_tree:
        content = dockerfile.encode("utf-8", errors="surrogateescape")
        path = path or f".conductor-dockerfile-{hashlib.sha256(content).hexdigest()[:16]}"
        added[path] = content
    hidden = [*added, *([] if IGNORE_FILE in in_tree else [IGNORE_FILE])]
    added[IGNORE_FILE] = "".join(f"{name}\n" for name in hidden).encode("utf-8", errors="surrogateescape")
    return path, added


def _relative_to(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else ""


def _header(item: Item) -> bytes:
    words = (item.kind, item.path, "x" if item.executable else "", item.target)
    return b"\0".join(os.fsencode(word) for word in words) + b"\0"


def _file_digest(path: Path) -> bytes:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _archived(root: Path, item: Item) -> Iterator[bytes]:
    if item.kind == "folder":
        yield _tar_header(item.path, tarfile.DIRTYPE, mode=0o755, modified=item.modified)
    elif item.kind == "link":
        yield _tar_header(item.path, tarfile.SYMTYPE, target=item.target, mode=0o777, modified=item.modified)
    else:
        mode = 0o755 if item.executable else 0o644
        yield _tar_header(item.path, tarfile.REGTYPE, size=item.size_bytes, mode=mode, modified=item.modified)
        yield from _content(root / item.path, item.size_bytes)


def _content(path: Path, size: int) -> Iterator[bytes]:
    """Yield exactly `size` bytes and their padding, also when the file changed meanwhile: the archive stays readable."""
    left = size
    with path.open("rb") as stream:
        while left and (piece := stream.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece
    yield b"\0" * (left + -size % tarfile.BLOCKSIZE)


def _padded(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % tarfile.BLOCKSIZE)


def _tar_header(
    path: str, kind: bytes, *, size: int = 0, mode: int = 0o644, target: str = "", modified: int = 0
) -> bytes:
    info = tarfile.TarInfo(path)
    info.type, info.size, info.mode, info.linkname, info.mtime = kind, size, mode, target, modified
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
