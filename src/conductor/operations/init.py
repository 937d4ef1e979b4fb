"""Write a repository's first `.conductor.yaml` by looking at it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from conductor.compose.reader import Checkout
from conductor.domain.plan import PLAN_FILE
from conductor.errors import ConflictError, NotFoundError
from conductor.plan.suggest import suggest

_MOST_FILES = 5000
_SKIPPED = frozenset({".git", "node_modules", ".venv", "vendor", "dist", "target", "__pycache__"})


def init(folder: Path, *, force: bool = False) -> Path:
    """Return the path of the file written. ConflictError where there is one already."""
    root = folder.absolute()
    if not root.is_dir():
        raise NotFoundError(f"{root} is no folder", remedy="Name the repository's folder.")
    target = root / PLAN_FILE
    if target.exists() and not force:
        raise ConflictError(
            f"{target} is there already", remedy="`conductor check` reads it; --force writes it anew."
        )
    checkout = Checkout(root)
    text = suggest(
        has_file=checkout.exists,
        read_text=lambda name: checkout.read(name).decode("utf-8", "replace"),
        list_files=lambda: list(_files(root)),
    )
    target.write_text(text, encoding="utf-8")
    return target


def _files(root: Path) -> Iterator[str]:
    count = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in sorted(names):
            count += 1
            if count > _MOST_FILES:
                return
            yield (Path(folder) / name).relative_to(root).as_posix()
