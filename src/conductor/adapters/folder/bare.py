"""A folder of bare repositories, each known by its relative path without `.git`.

Law: no name leads out of the folder, neither by its letters nor through a link.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from conductor.errors import NotFoundError

_SUFFIX = ".git"
_DEEPEST = 4
"""So many folders deep are repositories looked for."""


def find_all(root: Path) -> list[str]:
    """Return the names of all repositories below a folder, in order."""
    return sorted(_names(root))


def folder_of(root: Path, name: str) -> Path:
    """Return where a repository is. NotFoundError where there is none of that name."""
    parts = name.split("/")
    if name and "\0" not in name and not any(part in ("", ".", "..") for part in parts):
        for candidate in (root / f"{name}{_SUFFIX}", root / name):
            real = candidate.resolve()
            if real.is_relative_to(root.resolve()) and _is_bare(real):
                return real
    raise NotFoundError(
        f"there is no repository {name!r} in {root}",
        remedy="Names are paths below CONDUCTOR_REPOSITORIES, without `.git`.",
    )


def name_of(root: Path, folder: Path) -> str:
    """Name a repository by where it is below a folder; by its own name where it is elsewhere."""
    real, top = folder.resolve(), root.resolve()
    path = real.relative_to(top) if real.is_relative_to(top) and real != top else Path(real.name)
    return path.as_posix().removesuffix(_SUFFIX)


def _names(root: Path) -> Iterator[str]:
    for place, folders, _ in os.walk(root):
        here = Path(place)
        depth = len(here.relative_to(root).parts)
        if here != root and _is_bare(here):
            yield name_of(root, here)
            folders.clear()
        elif depth >= _DEEPEST:
            folders.clear()


def _is_bare(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()
