"""A repository of the shop, as a user has it: a git repository of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def conductor() -> Sequence[str]:
    """Return the command line of the product under test."""
    return [sys.executable, "-m", "conductor.cli.main"]


def shop_repository(folder: Path) -> Path:
    """Copy examples/shop to `folder` and make it a git repository with one commit on main."""
    shutil.copytree(EXAMPLES / "shop", folder)
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all"],
        [
            "-c",
            "user.name=shop",
            "-c",
            "user.email=shop@example.org",
            "commit",
            "--quiet",
            "--message",
            "The shop",
        ],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True, timeout=30)
    return folder
