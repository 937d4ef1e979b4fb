"""The files of the checkout that a stack mounts: read once for the manifests, and packed for what is handed over.

Law: nothing outside the checkout is read, whatever a link says. An archive of the same files is the same to the byte.
"""

from __future__ import annotations

import gzip
import io
import posixpath
import stat
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from conductor.domain.stack import BindMount, FileMount, Job, Stack

LARGEST_TREE_BYTES = 8 * 1024**2
"""More than this of one mount stays on the disk: no ConfigMap would hold it, packed or not."""
_PLAIN, _PROGRAM = 0o644, 0o755
_WRITTEN = 946_684_800
"""When every packed file was written, for programs: 1 January 2000. Some (zip) take nothing older than 1980."""


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file of the checkout, or a link. `content` None is one that stays on the disk."""

    content: bytes | None = b""
    executable: bool = False
    link: str | None = None
    """Where it points; it is kept as a link."""

    @property
    def mode(self) -> int:
        """The permissions that git keeps."""
        return _PROGRAM if self.executable else _PLAIN


Files = Mapping[str, File]
"""Files of the checkout by their path (relative, with `/`), as far as the stack mounts them."""


def bound_source(mount: BindMount | FileMount) -> str:
    """Return the path in the checkout of what is mounted, `.` for all of it.

    >>> bound_source(BindMount(source="./conf/", target="/c"))
    'conf'
    """
    return posixpath.normpath(mount.source or ".")


def read_files(checkout: str, stack: Stack, jobs: Sequence[Job] = ()) -> Files:
    """Read what is mounted; nothing where there is no checkout. A source that is no file or folder has no files here."""
    if not checkout:
        return {}
    root = Path(checkout).resolve()
    found: dict[str, File] = {}
    for source in sorted(_sources(stack, jobs)):
        for path, file in _tree(root, source):
            if path not in found or found[path].content is None:
                found[path] = file
    return found


def _sources(stack: Stack, jobs: Sequence[Job]) -> set[str]:
    workloads = (*stack.services, *(job.workload for job in jobs))
    mounts = chain(*(workload.mounts for workload in workloads), *stack.suite_mounts.values())
    return {bound_source(m) for m in mounts if isinstance(m, BindMount | FileMount) and m.source is not None}


def _tree(root: Path, source: str) -> Iterator[tuple[str, File]]:
    paths = list(_below(_inside(root, source)))
    large = sum(path.lstat().st_size for path in paths) > LARGEST_TREE_BYTES
    top = _inside(root, source)
    for path in paths:
        name = posixpath.normpath(posixpath.join(source, path.relative_to(top).as_posix() if top else ""))
        yield name, _file(path, large=large)


def _inside(root: Path, source: str) -> Path:
    """Follow a source to where it really is; one that leads out of the checkout was refused long before, and is nothing here."""
    found = (root / source).resolve()
    return found if found.is_relative_to(root) else root / ".nothing-outside-the-checkout"


def _below(path: Path) -> Iterator[Path]:
    if path.is_symlink() or path.is_file():
        yield path
    elif path.is_dir():
        for below in sorted(path.iterdir()):
            yield from _below(below)


def _file(path: Path, *, large: bool) -> File:
    if path.is_symlink():
        return File(link=str(path.readlink()))
    executable = bool(path.stat().st_mode & stat.S_IXUSR)
    return File(content=None if large else path.read_bytes(), executable=executable)


def below(files: Files, top: str) -> Files:
    """Return what is at a path of the checkout: `{"": file}` for a file, `{path: file}` for a folder, nothing where there is nothing.

    >>> sorted(below({"a/b": File(), "c": File()}, "a"))
    ['b']
    """
    if top in files:
        return {"": files[top]}
    prefix = "" if top == "." else f"{top}/"
    return {path.removeprefix(prefix): file for path, file in files.items() if path.startswith(prefix)}


def pack(tree: Files, *, under: str, compressed: bool = True) -> bytes:
    """Pack a tree (as of `below`) into a tar, all of it under one name. Everything in it belongs to root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for folder in _folders(tree, under):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, _PROGRAM, _WRITTEN
            archive.addfile(entry)
        for path, file in sorted(tree.items()):
            _add(archive, posixpath.normpath(posixpath.join(under, path)), file)
    return gzip.compress(buffer.getvalue(), mtime=0) if compressed else buffer.getvalue()


def _folders(tree: Files, under: str) -> list[str]:
    found = set() if "" in tree else {under}
    for path in tree:
        parent = posixpath.dirname(posixpath.join(under, path)) if path else ""
        while parent and parent != under:
            found.add(parent)
            parent = posixpath.dirname(parent)
    return sorted(found)


def _add(archive: tarfile.TarFile, name: str, file: File) -> None:
    entry = tarfile.TarInfo(name)
    entry.mtime = _WRITTEN
    if file.link is not None:
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, file.link, 0o777
        archive.addfile(entry)
        return
    content = file.content or b""
    entry.size, entry.mode = len(content), file.mode
    archive.addfile(entry, io.BytesIO(content))


def archive_of(checkout: str, source: str, *, under: str) -> bytes:
    """Pack what is at a path of the checkout for `Filling.command`, whatever its size. Reads the disk.

    A link is packed as a link.
    """
    root = Path(checkout).resolve()
    top = _inside(root, source)
    tree = {
        path.relative_to(top).as_posix() if path != top else "": _file(path, large=False)
        for path in _below(top)
    }
    return pack(tree, under=under, compressed=False)
