"""Copying a working tree as it lies there, and nothing from outside it.

Laws. Links stay links and are never followed, also not on the way to a file. What is no file, folder or link is left out. Modes are kept,
but for the right to become another user.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from conductor.domain.verdict import Fault, Reason
from conductor.errors import RunError

_NO_FOLLOW = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much a checkout may be."""

    files: int = 200_000
    total_bytes: int = 4 << 30


def everything(folder: Path) -> Iterator[str]:
    """Yield all names in a folder but git's own, relative to it."""
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        links = [name for name in folders if Path(where, name).is_symlink()]
        for name in (*files, *links):
            yield os.path.relpath(os.path.join(where, name), folder)  # noqa: PTH118 -- one of very many


def copy(folder: Path, names: Iterable[str], destination: Path, *, limits: Limits) -> None:
    """Copy what is named. RunError where it is more than the limits allow."""
    room = limits.total_bytes
    plain: dict[PurePosixPath, bool] = {}
    for count, name in enumerate(names, start=1):
        relative = PurePosixPath(name)
        if not _lies_within(folder, relative, plain):
            continue
        size = _size(folder / relative)
        room -= size or 0
        if count > limits.files or room < 0:
            raise _too_much(limits)
        if size is not None:
            _copy_one(folder / relative, destination / relative)


def fingerprint(folder: Path, names: Iterable[str]) -> str:
    """Work out what is named in a working tree by its content: the same for the same content, whenever it was written."""
    made = hashlib.sha256()
    plain: dict[PurePosixPath, bool] = {}
    for name in sorted(set(names)):
        made.update(f"{name}\0".encode(errors="surrogateescape"))
        if _lies_within(folder, PurePosixPath(name), plain):
            made.update(_content_hash(folder / name))
    return made.hexdigest()[:32]


def _content_hash(path: Path) -> bytes:
    """Hash kind, mode and content; what is gone or of another kind is that."""
    try:
        mode = path.lstat().st_mode
        kind = f"{stat.S_IFMT(mode)} {mode & stat.S_IXUSR}".encode()
        if stat.S_ISLNK(mode):
            return hashlib.sha256(kind + os.fsencode(path.readlink())).digest()
        if not stat.S_ISREG(mode):
            return hashlib.sha256(kind).digest()
        with open(path, "rb", opener=_without_following) as content:
            return hashlib.file_digest(content, lambda: hashlib.sha256(kind)).digest()
    except OSError as error:
        return hashlib.sha256(f"{error.errno}".encode()).digest()


def _without_following(name: str, _flags: int) -> int:
    return os.open(name, _NO_FOLLOW)


def _lies_within(folder: Path, relative: PurePosixPath, plain: dict[PurePosixPath, bool]) -> bool:
    """Tell whether every folder on the way is a real one; `plain` remembers."""
    if relative.is_absolute() or not relative.parts or ".." in relative.parts or ".git" in relative.parts:
        return False
    return all(_is_folder(folder, parent, plain) for parent in relative.parents if parent.parts)


def _is_folder(folder: Path, relative: PurePosixPath, plain: dict[PurePosixPath, bool]) -> bool:
    if relative not in plain:
        plain[relative] = False
        with suppress(OSError):
            plain[relative] = stat.S_ISDIR((folder / relative).lstat().st_mode)
    return plain[relative]


def _size(source: Path) -> int | None:
    """Return the bytes of a file or link; None for what is gone or of another kind."""
    try:
        found = source.lstat()
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode) else None


def _copy_one(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if source.is_symlink():
            target.symlink_to(source.readlink())
        else:
            _copy_file(source, target)


def _copy_file(source: Path, target: Path) -> None:
    with open(source, "rb", opener=_without_following) as content:
        mode = os.fstat(content.fileno()).st_mode
        if stat.S_ISREG(mode):
            with target.open("xb") as copied:
                shutil.copyfileobj(content, copied, 1 << 20)
                os.fchmod(copied.fileno(), stat.S_IMODE(mode) & 0o777)


def _too_much(limits: Limits) -> RunError:
    return RunError(
        f"copying the working tree: it has more than {limits.files} files or {limits.total_bytes >> 20} MiB",
        reason=Reason.CLONE_FAILED,
        fault=Fault.REPOSITORY,
        remedy="List what is not needed in .gitignore, or run a commit with --ref.",
    )
