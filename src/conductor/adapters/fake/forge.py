"""A fake forge: repositories that are dictionaries of files."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conductor.domain.run import Source
from conductor.errors import NotFoundError, RunError
from conductor.ports.forge import Pushed, TrustedFile, Work


@dataclass(frozen=True, kw_only=True)
class FakeRepository:
    """Its tree, the same for every ref. `default` is the tree of the default branch, where that differs."""

    files: Mapping[str, str]
    default: Mapping[str, str] | None = None
    branch: str = "main"
    refs: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()

    @property
    def commit(self) -> str:
        """What every ref stands for."""
        return hashlib.sha1(repr(sorted(self.files.items())).encode(), usedforsecurity=False).hexdigest()


@dataclass
class FakeForge:
    """Repositories by location. `broken` are those that cannot be cloned."""

    repositories: dict[str, FakeRepository] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    pushed: list[Work] = field(default_factory=list)

    async def resolve(self, location: str, ref: str | None) -> Source:
        """Pin what was asked for."""
        repository = self._repository(location)
        known = {repository.branch, repository.commit, *repository.refs}
        if ref is not None and ref not in known:
            raise NotFoundError(
                f"there is no {ref} in {location}", remedy="Name a tag, branch or commit that it has."
            )
        return Source(location=location, ref=ref, commit=repository.commit, branch=repository.branch)

    async def clone(self, source: Source, destination: Path) -> None:
        """Write the files, starting over."""
        if source.location in self.broken:
            raise RunError(
                f"cloning {source.location} failed, as was asked for",
                reason="CloneFailed",
                fault="platform",
                remedy="Try again.",
            )
        shutil.rmtree(destination, ignore_errors=True)
        for name, text in self._repository(source.location).files.items():
            path = destination / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    async def trusted_file(self, source: Source, path: str) -> TrustedFile:
        """Read from the default branch."""
        repository = self._repository(source.location)
        tree = repository.files if repository.default is None else repository.default
        return TrustedFile(branch=repository.branch, text=tree.get(path))

    async def commits_message(self, source: Source) -> Sequence[str]:
        """Return the messages."""
        return self._repository(source.location).messages

    async def seed(self, source: Source, branch: str, archive: Path) -> None:
        """Write the files, with a folder of git's that says no more than the branch."""
        await self.clone(source, archive.with_suffix(".tree"))
        git = archive.with_suffix(".tree") / ".git"
        git.mkdir()
        (git / "HEAD").write_text(f"ref: refs/heads/{branch}\n")
        with tarfile.open(archive, "w") as tar:
            tar.add(archive.with_suffix(".tree"), arcname=".")

    async def push(self, source: Source, work: Work) -> Pushed:
        """Remember what was pushed."""
        self.pushed.append(work)
        return Pushed(branch=work.branch, commit=self._repository(source.location).commit, tag=work.tag)

    def _repository(self, location: str) -> FakeRepository:
        if location not in self.repositories:
            raise NotFoundError(f"there is no repository {location}", remedy="Name one that there is.")
        return self.repositories[location]
