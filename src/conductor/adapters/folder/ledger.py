"""A ref of its own with text files in it: read whole, and changed by one commit that either follows what was read or is made anew.

Law: two that write at the same time both get in, one after the other. No hook runs, and no work tree is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from conductor.adapters.folder.git import Git, GitError
from conductor.errors import ConflictError

_OURSELVES = {"user.name": "Conductor", "user.email": "conductor@localhost", "commit.gpgSign": "false"}
_TURNS = 8
_LARGEST_BYTES = 1 << 20
_MOST_FILES = 20_000
_NOBODY = "0" * 40
_LOST = ("but expected", "reference already exists", "cannot lock ref", "unable to resolve reference")

Change = Callable[[Mapping[str, str]], Mapping[str, str]]
"""Takes the files as they are; returns those that are to be written, and nothing where all is well."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """One ref of one repository."""

    git: Git
    repository: Path
    ref: str

    async def read(self) -> Mapping[str, str]:
        """Return every text file by its path; none where nobody has written yet."""
        head = await self._head()
        return await self._files(head) if head else MappingProxyType({})

    async def change(self, what: Change, *, why: str) -> Mapping[str, str]:
        """Write what is asked for, and return all files as they are then. ConflictError where others write all the time."""
        for _ in range(_TURNS):
            head = await self._head()
            present = await self._files(head) if head else {}
            wanted = {name: text for name, text in what(present).items() if present.get(name) != text}
            if not wanted or await self._moved(head, await self._commit(head, wanted, why)):
                return {**present, **wanted}
        raise ConflictError(
            f"{self.ref} of {self.repository} is written by others all the time", remedy="Try again."
        )

    async def _head(self) -> str | None:
        found = await self.git("for-each-ref", "--format=%(objectname)", self.ref, at=self.repository)
        return found.decode().strip() or None

    async def _files(self, head: str) -> dict[str, str]:
        listed = await self.git("ls-tree", "-r", "-z", "-l", "--full-tree", head, at=self.repository)
        found: dict[str, str] = {}
        for entry in listed.decode(errors="replace").split("\0")[: _MOST_FILES + 1]:
            about, _, name = entry.partition("\t")
            mode, kind, blob, size = about.split() if about else ("", "", "", "0")
            if kind == "blob" and mode != "120000" and int(size) <= _LARGEST_BYTES:
                found[name] = blob
        return await self._texts(found)

    async def _texts(self, blobs: Mapping[str, str]) -> dict[str, str]:
        """Read blobs in one go: each comes after a line with its id, its kind and its size."""
        if not blobs:
            return {}
        given = "".join(f"{blob}\n" for blob in blobs.values()).encode()
        told = await self.git("cat-file", "--batch", at=self.repository, given=given)
        texts: dict[str, str] = {}
        for name in blobs:
            line, _, rest = told.partition(b"\n")
            size = int(line.rsplit(b" ", 1)[1])
            texts[name], told = rest[:size].decode(errors="replace"), rest[size + 1 :]
        return texts

    async def _commit(self, head: str | None, files: Mapping[str, str], why: str) -> str:
        index = self.git.home / "index"
        start = ("read-tree", head) if head else ("read-tree", "--empty")
        await self.git(*start, at=self.repository, index=index)
        for name, text in files.items():
            writing = self.git("hash-object", "-w", "--stdin", at=self.repository, given=text.encode())
            entry = f"100644,{(await writing).decode().strip()},{name}"
            await self.git("update-index", "--add", "--cacheinfo", entry, at=self.repository, index=index)
        tree = (await self.git("write-tree", at=self.repository, index=index)).decode().strip()
        after = ("-p", head) if head else ()
        made = await self.git(
            "commit-tree", tree, *after, at=self.repository, settings=_OURSELVES, given=why.encode()
        )
        return made.decode().strip()

    async def _moved(self, head: str | None, to: str) -> bool:
        """Have the ref stand there, if it still stands where it was read."""
        try:
            await self.git("update-ref", self.ref, to, head or _NOBODY[: len(to)], at=self.repository)
        except GitError as error:
            if any(sign in error.said for sign in _LOST):
                return False
            raise
        return True
