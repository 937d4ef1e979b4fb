"""One repository as git shows it: its refs, its objects, its working tree. Reads only, and runs nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conductor.adapters.folder.git import Git, GitError
from conductor.adapters.folder.locations import Location
from conductor.adapters.folder.refs import HEADS, Refs, read_refs

_FETCH = ("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
LARGEST_FILE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """`address` is what git fetches from. `folder` is set where there is a working tree, `prefix` where it is a part of one."""

    git: Git
    address: str
    folder: Path | None = None
    objects: Path | None = None
    prefix: str = ""

    async def refs(self) -> Refs:
        """List its refs."""
        listed = await self.git("ls-remote", "--symref", "--", self.address, at=self.git.home)
        return read_refs(listed.decode(errors="surrogateescape"))

    async def unborn_branch(self) -> str | None:
        """Return the branch that a working tree without commits is on."""
        told = await self.git("symbolic-ref", "--quiet", "HEAD", at=self.folder or self.git.home)
        return told.decode(errors="surrogateescape").strip().removeprefix(HEADS)

    async def changed(self) -> Sequence[str]:
        """List the files of the working tree that differ from its commit; relative to the folder."""
        if self.folder is None:
            return []
        settings = await self._without_filters()
        status = (
            "status",
            "--porcelain",
            "-z",
            "--no-renames",
            "--ignore-submodules=all",
            "--untracked-files=all",
        )
        told = await self.git(*status, "--", ".", at=self.folder, settings=settings)
        entries = told.decode(errors="surrogateescape").rstrip("\0").split("\0")
        return [entry[len("XY ") :].removeprefix(self.prefix) for entry in entries if entry]

    async def names(self) -> Sequence[str]:
        """List the files of the working tree: tracked, or not ignored; relative to the folder."""
        if self.folder is None:
            return []
        listed = await self.git(
            "ls-files", "-z", "--cached", "--others", "--exclude-standard", at=self.folder
        )
        return [name for name in dict.fromkeys(listed.decode(errors="surrogateescape").split("\0")) if name]

    async def find_commit(self, beginning: str) -> str | None:
        """Return the commit that a folder's repository has under an id or the beginning of one."""
        if self.objects is None:
            return None
        try:
            found = await self.git(
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                f"{beginning}^{{commit}}",
                at=self.objects,
            )
        except GitError:
            return None
        return found.decode().strip()

    async def fetch(self, what: str, *, without_files: bool = False) -> Path:
        """Fetch a commit, or a full ref under its own name, into a scratch repository; return that."""
        scratch = self.git.home / "objects"
        if not scratch.exists():
            await self.git("init", "--quiet", "--bare", "--template=", str(scratch), at=self.git.home)
        wanted = f"{what}:{what}" if what.startswith("refs/") else what
        only = ("--filter=tree:0",) if without_files else ()
        await self.git(*_FETCH, *only, "--", self.address, wanted, at=scratch)
        return scratch

    async def objects_of(self, what: str, *, without_files: bool = False) -> Path:
        """Return a repository that holds a commit or ref: the folder's own, or a scratch one."""
        return self.objects or await self.fetch(what, without_files=without_files)

    async def read_file(self, commit: str, path: str) -> str | None:
        """Read a file at a commit; None where there is none, or a link or a folder in its place."""
        if ".." in path.split("/"):
            return None
        at = await self.objects_of(commit)
        name = self.prefix + path
        listed = await self.git(
            "--literal-pathspecs", "ls-tree", "-z", "--full-tree", "-l", commit, "--", name, at=at
        )
        head, _, _ = listed.decode(errors="replace").partition("\t")
        mode, kind, blob, size = head.split() if head else ("", "", "", "0")
        if kind != "blob" or mode == "120000":
            return None
        if int(size) > LARGEST_FILE_BYTES:
            raise GitError(f"fatal: {path} is larger than {LARGEST_FILE_BYTES >> 20} MiB")
        return (await self.git("cat-file", "blob", blob, at=at)).decode(errors="replace")

    async def message(self, commit: str) -> str:
        """Return a commit's message."""
        at = await self.objects_of(commit, without_files=True)
        return (
            (await self.git("log", "-1", "--format=%B", commit, "--", at=at)).decode(errors="replace").strip()
        )

    async def tag_message(self, name: str) -> str | None:
        """Return an annotated tag's message, without a signature; `name` is its full ref."""
        at = await self.objects_of(name, without_files=True)
        form = "--format=%(objecttype)%0a%(contents:subject)%0a%0a%(contents:body)"
        kind, _, text = (
            (await self.git("for-each-ref", form, name, at=at)).decode(errors="replace").partition("\n")
        )
        return text.strip() if kind == "tag" else None

    async def _without_filters(self) -> dict[str, str]:
        """Return the settings that switch off the programs that the repository would have files run through."""
        try:
            listed = await self.git(
                "config", "-z", "--name-only", "--get-regexp", r"^filter\.", at=self.folder or Path()
            )
        except GitError:
            return {}
        names = listed.decode(errors="surrogateescape").rstrip("\0").split("\0")
        return {name: "false" if name.endswith(".required") else "" for name in names}


async def find_repository(git: Git, place: Location) -> Repository | None:
    """Look at a place. None for a folder without git, also one that the repository around it ignores."""
    if place.folder is None:
        return Repository(git=git, address=place.url)
    try:
        answer = await git(
            "rev-parse", "--is-inside-work-tree", "--absolute-git-dir", "--show-prefix", at=place.folder
        )
    except GitError as error:
        if "not a git repository" in error.said.lower():
            return None
        raise
    inside, objects, prefix, *_ = [*answer.decode(errors="surrogateescape").split("\n"), ""]
    if inside == "true" and prefix and await _is_ignored(git, place.folder):
        return None
    folder = place.folder if inside == "true" else None
    return Repository(git=git, address=objects, folder=folder, objects=Path(objects), prefix=prefix)


async def _is_ignored(git: Git, folder: Path) -> bool:
    try:
        await git("check-ignore", "--quiet", "--", str(folder), at=folder.parent)
    except GitError:
        return False
    return True
