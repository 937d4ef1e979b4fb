"""`FolderForge`: repositories as git finds them, on this machine or at an https address."""

from __future__ import annotations

import asyncio
import glob
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from conductor.adapters.folder import tree
from conductor.adapters.folder.git import GitError, Token, scratch_prefix
from conductor.adapters.folder.locations import Location, located
from conductor.adapters.folder.opening import TIMEOUT, Opener, TokenFor
from conductor.adapters.folder.problems import not_found, translated
from conductor.adapters.folder.pushing import push, seed
from conductor.adapters.folder.refs import FULL_ID, HEADS, SHORT_ID, TAGS, Refs, short
from conductor.adapters.folder.repository import LARGEST_FILE_BYTES, Repository, find_repository
from conductor.adapters.folder.tree import Limits
from conductor.domain.run import Source
from conductor.domain.verdict import Fault, Reason
from conductor.errors import NotFoundError, RunError
from conductor.ports.forge import Pushed, TrustedFile, Work


class FolderForge:
    """The forge of one machine. `token` opens private repositories of its host, `timeout` bounds each call of git."""

    def __init__(
        self,
        *,
        token: Token | None = None,
        token_for: TokenFor | None = None,
        push_token_for: TokenFor | None = None,
        timeout: timedelta = TIMEOUT,
        limits: Limits | None = None,
    ) -> None:
        self._opener = Opener(token=token, token_for=token_for, timeout=timeout)
        self._pusher = Opener(token=token, token_for=push_token_for or token_for, timeout=timeout)
        self._limits = limits or Limits()

    async def resolve(self, location: str, ref: str | None) -> Source:
        """Pin what was asked for. A folder without a ref is its working tree; an address without one is its default branch."""
        place = located(location)
        with translated(f"reading {place.text}", in_run=False):
            async with self._opener.git(place) as git:
                repository = await find_repository(git, place)
                if repository is None:
                    return await _plain(place, ref)
                refs = await repository.refs()
                if ref is None and repository.folder:
                    return await _working_tree(place, repository, refs)
                return await _pinned(place, repository, refs, ref)

    async def clone(self, source: Source, destination: Path) -> None:
        """Put the tree at the source's commit (or the working tree as it lies there) into `destination`, without git's own folder."""
        place = located(source.location)
        with translated(f"cloning {place.text}", in_run=True):
            await asyncio.to_thread(_start_over, destination)
            async with self._opener.git(place, beside=destination) as git:
                repository = await find_repository(git, place)
                if source.ref is None and place.folder:
                    await self._copy(place.folder, repository, destination)
                elif repository and source.commit:
                    await _check_out(repository, source, destination)
                else:
                    raise GitError("fatal: it is no git repository any more")

    async def trusted_file(self, source: Source, path: str) -> TrustedFile:
        """Read a file at the head of the default branch; for a folder without git, the folder's own file."""
        place = located(source.location)
        with translated(f"reading {path} of {place.text}", in_run=True):
            async with self._opener.git(place) as git:
                repository = await find_repository(git, place)
                if repository is None:
                    return TrustedFile(branch="", text=_own_file(place, path))
                refs = await repository.refs()
                name = refs.default() if place.folder else refs.default_of_server()
                if name is None:
                    return TrustedFile(branch="", text=None)
                return TrustedFile(
                    branch=short(name), text=await repository.read_file(refs.commits[name], path)
                )

    async def commits_message(self, source: Source) -> Sequence[str]:
        """Return the messages of tag (if annotated) and commit, for finding the issue."""
        place = located(source.location)
        if source.commit is None:
            return []
        with translated(f"reading the messages of {place.text}", in_run=True):
            async with self._opener.git(place) as git:
                repository = await find_repository(git, place)
                if repository is None:
                    return []
                tag = await _tag_message(repository, source)
                return [*([tag] if tag else []), await repository.message(source.commit)]

    async def seed(self, source: Source, branch: str, archive: Path) -> None:
        """Write a tar of the repository as it is worked in, on `branch`."""
        place = located(source.location)
        with translated(f"cloning {place.text}", in_run=True):
            async with self._opener.git(place, beside=archive) as git:
                repository = await find_repository(git, place)
                if repository is None or source.commit is None:
                    raise GitError("fatal: it is no git repository")
                await seed(repository, place.text, source.commit, branch, archive)

    async def push(self, source: Source, work: Work) -> Pushed:
        """Bring commits into the repository; nothing is forced over others' work."""
        place = located(source.location)
        with translated(f"pushing {work.branch} to {place.text}", in_run=False):
            async with self._pusher.git(place) as git:
                repository = await find_repository(git, place)
                if repository is None:
                    raise GitError("fatal: it is no git repository any more")
                return await push(repository, work)

    async def carries(self, location: str, file: Path) -> bool:
        """Tell whether a file on this machine would come along in a copy of that working tree."""
        place = located(location)
        name = _name_within(place, file)
        if name is None:
            return False
        with translated(f"reading {place.text}", in_run=False):
            async with self._opener.git(place) as git:
                repository = await find_repository(git, place)
                return repository is None or name in await repository.names()

    async def _copy(self, folder: Path, repository: Repository | None, destination: Path) -> None:
        if repository is None:
            names: Sequence[str] = await asyncio.to_thread(lambda: list(tree.everything(folder)))
        else:
            names = await repository.names()
        await asyncio.to_thread(tree.copy, folder, names, destination, limits=self._limits)


async def _plain(place: Location, ref: str | None) -> Source:
    if ref is not None or place.folder is None:
        raise NotFoundError(
            f"there is no tag, branch or commit {ref!r}: {place.text} is no git repository",
            remedy="Leave --ref out to run the folder as it is.",
        )
    folder = place.folder
    content = await asyncio.to_thread(lambda: tree.fingerprint(folder, tree.everything(folder)))
    return Source(location=place.text, tree=content)


async def _working_tree(place: Location, repository: Repository, refs: Refs) -> Source:
    """Describe it as it lies there. Without commits all of it is a change."""
    if refs.head is None:
        branch, changed = await repository.unborn_branch(), await repository.names()
    else:
        branch, changed = refs.current or refs.branch_of(refs.head), await repository.changed()
    dirty = bool(changed) or refs.head is None
    folder = place.folder or Path()
    content = await asyncio.to_thread(tree.fingerprint, folder, changed) if dirty else ""
    return Source(location=place.text, commit=refs.head, branch=branch, dirty=dirty, tree=content)


async def _pinned(place: Location, repository: Repository, refs: Refs, ref: str | None) -> Source:
    name = refs.find(ref) if ref is not None else refs.default_of_server()
    if ref is None and name is None:
        raise NotFoundError(f"{place.text} has no commits", remedy="Push a branch first.")
    commit = refs.commits[name] if name else await _commit(place, repository, refs, ref or "")
    return Source(
        location=place.text, ref=ref or short(name or ""), commit=commit, branch=_branch(refs, name, commit)
    )


def _branch(refs: Refs, name: str | None, commit: str) -> str | None:
    """Name the branch: the one that was asked for, else the one whose head it is, else the tag's own name."""
    if name and not name.startswith(TAGS) and name != "HEAD":
        return short(name)
    found = refs.branch_of(commit)
    return found or (short(name) if name and name.startswith(TAGS) else None)


async def _commit(place: Location, repository: Repository, refs: Refs, ref: str) -> str:
    wanted = ref.lower()
    if SHORT_ID.fullmatch(wanted):
        if found := await repository.find_commit(wanted):
            return found
        known = refs.by_short_id(wanted)
        if len(known) == 1:
            return known.pop()
        if FULL_ID.fullmatch(wanted) and await _is_there(repository, wanted):
            return wanted
    raise not_found(ref, place.text, refs.nearest(ref))


async def _is_there(repository: Repository, commit: str) -> bool:
    """Ask a server for a commit that no ref stands at."""
    if repository.objects:
        return False
    try:
        await repository.fetch(commit, without_files=True)
    except GitError as error:
        if any(
            sign in error.said.lower() for sign in ("not our ref", "unadvertised", "couldn't find remote ref")
        ):
            return False
        raise
    return True


async def _check_out(repository: Repository, source: Source, destination: Path) -> None:
    commit = source.commit or ""
    scratch = await _fetched(repository, source)
    what = f"{commit}:{repository.prefix}" if repository.prefix else commit
    await asyncio.to_thread(destination.mkdir, parents=True)
    await repository.git("read-tree", "--reset", "-u", what, at=scratch, tree=destination)


async def _fetched(repository: Repository, source: Source) -> Path:
    """Fetch by commit, so that a tag that moved meanwhile takes nothing from this run; where that is refused, by name."""
    commit = source.commit or ""
    try:
        return await repository.fetch(commit)
    except GitError:
        name = (await repository.refs()).find(source.ref or "")
        if name is None or not name.startswith((TAGS, HEADS)):
            raise
        scratch = await repository.fetch(name)
        stands_at = await repository.git(
            "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}", at=scratch
        )
        if stands_at.decode().strip() != commit:
            raise RunError(
                f"cloning {source.location}: {source.ref} has moved away from {commit[:12]}, which the server does not give",
                reason=Reason.CLONE_FAILED,
                fault=Fault.REPOSITORY,
                remedy=f"Start a new run of {source.ref}.",
            ) from None
        return scratch


async def _tag_message(repository: Repository, source: Source) -> str | None:
    refs = await repository.refs()
    name = refs.find(source.ref) if source.ref else None
    if name and name.startswith(TAGS) and refs.commits[name] == source.commit:
        return await repository.tag_message(name)
    return None


def _name_within(place: Location, file: Path) -> str | None:
    real = file.resolve()
    if place.folder is None or not real.is_relative_to(place.folder):
        return None
    return str(real.relative_to(place.folder))


def _own_file(place: Location, path: str) -> str | None:
    if place.folder is None or ".." in path.split("/"):
        return None
    file = place.folder / path
    if file.is_symlink() or not file.is_file():
        return None
    with file.open("rb") as content:
        return content.read(LARGEST_FILE_BYTES).decode(errors="replace")


def _start_over(destination: Path) -> None:
    """Remove what an attempt that was cut off left: the checkout, and scratch homes beside it."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    for left in (destination, *destination.parent.glob(f"{glob.escape(scratch_prefix(destination))}*")):
        if left.is_symlink() or left.is_file():
            left.unlink()
        elif left.exists():
            shutil.rmtree(left)
