"""The forge: where repositories are. A folder on this machine, a URL for git, or GitHub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from conductor.domain.run import Source


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustedFile:
    """A file of the default branch. `text` None: the branch has no such file. `branch` empty: there is no default branch."""

    branch: str
    text: str | None


class Forge(Protocol):
    """Law: names of tags and branches are data and never arguments; nothing of the repository is run."""

    async def resolve(self, location: str, ref: str | None) -> Source:
        """Pin what was asked for: commit, branch, dirty. NotFoundError where there is no such repository or ref."""
        ...

    async def clone(self, source: Source, destination: Path) -> None:
        """Put the tree at the source's commit (or the working tree as it lies there) into `destination`, depth 1, no submodules.

        Repeated: starts over. Raises `RunError(reason=CloneFailed)` or `UnreachableError`.
        """
        ...

    async def trusted_file(self, source: Source, path: str) -> TrustedFile:
        """Read a file at the head of the default branch; for a folder without git, the folder's own file."""
        ...

    async def commits_message(self, source: Source) -> Sequence[str]:
        """Return the messages of tag (if annotated) and commit, for finding the issue."""
        ...
