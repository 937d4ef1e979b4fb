"""The forge: where repositories are. A folder on this machine, a URL for git, or GitHub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from conductor.domain.run import Source


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustedFile:
    """A file of the default branch. `text` None: the branch has no such file. `branch` empty: there is no default branch."""

    branch: str
    text: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What came out of a workspace, to be pushed: a bundle with the commits of `branch` that follow `base`."""

    bundle: bytes = field(repr=False)
    branch: str
    base: str
    """The commit that the work began at; the bundle needs it."""
    tag: str | None = None
    """A tag on the branch's head besides, moved where it is there already."""
    message: str = ""
    """The tag's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pushed:
    """What the repository has now."""

    branch: str
    commit: str
    tag: str | None = None


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

    async def seed(self, source: Source, branch: str, archive: Path) -> None:
        """Write a tar of the repository as it is worked in: its tree at the source's commit on `branch`, and git's own folder with history.

        `origin` is the repository's address, without a credential. Repeated: written anew.
        """
        ...

    async def push(self, source: Source, work: Work) -> Pushed:
        """Bring commits into the repository the source is of; what is in the bundle is data that nobody has looked at.

        ConflictError where the branch has commits that the work has not: nothing is ever forced over others' work.
        """
        ...
