"""The only way to a repository's files: a checkout that nothing leads out of.

Law: no path reaches anything outside the checkout, whether through `..`, an absolute path or a symlink anywhere in it.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from conductor.errors import RefusedError, UsageError

MAX_BYTES = 1024 * 1024
"""No compose file or env file that a person wrote comes near it."""

_OUTSIDE = "Keep it inside the repository and name it relative to the compose file."


class Checkout:
    """A repository's files, read by paths relative to its root, with `/`."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def resolve(self, relative: str) -> str:
        """Return the path that this one really is, `.` for the root. It need not exist.

        Raises `RefusedError` where it leads out of the checkout.
        """
        if "\0" in relative:
            raise RefusedError("a path with a NUL byte is refused", remedy="Name a file.")
        if relative.startswith(("/", "~")):
            raise RefusedError(f"{relative} is a path of the machine, not of the repository", remedy=_OUTSIDE)
        try:
            real = Path(os.path.realpath(self.root / relative))
            inside = real.relative_to(self.root)
        except ValueError:
            how = "a symlink" if _stays_inside(relative) else "`..`"
            raise RefusedError(
                f"{relative} leads out of the repository through {how}", remedy=_OUTSIDE
            ) from None
        except OSError as error:
            raise RefusedError(f"{relative} cannot be followed: {error.strerror}", remedy=_OUTSIDE) from None
        return inside.as_posix()

    def exists(self, relative: str) -> bool:
        """Tell whether there is a file or a folder. Raises `RefusedError` as `resolve` does."""
        return _there(self._path(relative)) is not None

    def is_folder(self, relative: str) -> bool:
        """Tell whether there is a folder. Raises `RefusedError` as `resolve` does."""
        mode = _there(self._path(relative))
        return mode is not None and stat.S_ISDIR(mode)

    def read(self, relative: str) -> bytes:
        """Return what is in a file.

        Raises `RefusedError` for what is outside, is no regular file or is too large, `UsageError` for what cannot be read.
        """
        path = self._path(relative)
        mode = _there(path)
        if mode is not None and not stat.S_ISREG(mode):
            raise RefusedError(f"{relative} is not a file", remedy="Name a file.")
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise UsageError(f"{relative} cannot be read: {_reason(error)}", remedy=_remedy(error)) from None
        if len(content) > MAX_BYTES:
            limit = MAX_BYTES // 1024
            raise RefusedError(
                f"{relative} is larger than {limit} KiB", remedy="Make it smaller, or split it."
            )
        return content

    def _path(self, relative: str) -> Path:
        return self.root / self.resolve(relative)


def _there(path: Path) -> int | None:
    """Return the mode of what is at a path, or None where nothing can be."""
    try:
        return path.stat().st_mode
    except OSError:
        return None


def _stays_inside(relative: str) -> bool:
    return not os.path.normpath(relative).startswith("..")


def _reason(error: OSError) -> str:
    return "there is no such file" if error.errno == errno.ENOENT else (error.strerror or "unknown error")


def _remedy(error: OSError) -> str:
    return (
        "Check the path, and that the file is committed."
        if error.errno == errno.ENOENT
        else "Check its rights."
    )
