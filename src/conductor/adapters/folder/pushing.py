"""What is worked on outside: a repository to begin with, and its commits back into the forge.

Laws. A workspace's bundle is data of somebody who runs anything: its objects are checked, it lands in a scratch repository, and of it
only the work's branch is taken. Branches are never forced; names go to git as full refs.
"""

from __future__ import annotations

import asyncio
import tarfile
from contextlib import suppress
from pathlib import Path

from conductor.adapters.folder.git import Git, GitError
from conductor.adapters.folder.refs import HEADS, TAGS
from conductor.adapters.folder.repository import Repository
from conductor.errors import ConflictError, RefusedError, UsageError
from conductor.ports.forge import Pushed, Work

LARGEST_BUNDLE_BYTES = 256 << 20
_BASE = "refs/conductor/base"
"""A bundle is taken only where something leads to what it builds on."""
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
_OURSELVES = {"user.name": "Conductor", "user.email": "conductor@localhost", "tag.gpgSign": "false"}
_CHECKED = {"fetch.fsckObjects": "true", "transfer.fsckObjects": "true"}
_BEHIND = ("non-fast-forward", "fetch first", "stale info", "cannot lock ref")
_REFUSED = ("[remote rejected]", "refusing to allow", "permission", "protected branch", "403")


async def seed(repository: Repository, address: str, commit: str, branch: str, archive: Path) -> None:
    """Make the folder that is worked in, and pack it."""
    git = repository.git
    folder = git.home / "seed"
    await git("init", "--quiet", "--template=", "--", str(folder), at=git.home)
    await _fetch_history(repository, commit, folder)
    await _named(git, branch)
    await git("update-ref", f"{HEADS}{branch}", commit, at=folder)
    await git("symbolic-ref", "HEAD", f"{HEADS}{branch}", at=folder)
    await git("read-tree", "--reset", "-u", "HEAD", at=folder / ".git", tree=folder)
    await git("config", "remote.origin.url", address, at=folder)
    await git("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*", at=folder)
    await asyncio.to_thread(_pack, folder, archive)


async def push(repository: Repository, work: Work) -> Pushed:
    """Take the branch out of the bundle, and push it with the tag: both or neither."""
    git = repository.git
    if len(work.bundle) > LARGEST_BUNDLE_BYTES:
        raise RefusedError(
            f"the work on {work.branch} has more than {LARGEST_BUNDLE_BYTES >> 20} MiB",
            remedy="Take large files out of its commits.",
        )
    await _named(git, work.branch)
    scratch = await repository.fetch(work.base)
    head = f"{HEADS}{work.branch}"
    await git("update-ref", _BASE, work.base, at=scratch)
    if work.bundle:
        file = git.home / "work.bundle"
        await asyncio.to_thread(file.write_bytes, work.bundle)
        await git(*_FETCH, "--", str(file), f"{head}:{head}", at=scratch, settings=_CHECKED)
    else:
        await git("update-ref", head, work.base, at=scratch)
    commit = (await git("rev-parse", "--verify", f"{head}^{{commit}}", at=scratch)).decode().strip()
    refs = [f"{head}:{head}"]
    if work.tag:
        refs.append(await _tagged(git, scratch, work, commit))
    try:
        await git("push", "--quiet", "--atomic", "--", repository.address, *refs, at=scratch)
    except GitError as error:
        raise _refusal(work, error) from error
    return Pushed(branch=work.branch, commit=commit, tag=work.tag)


async def _fetch_history(repository: Repository, commit: str, folder: Path) -> None:
    """Fetch a commit with all that came before it: by its id, or with the branches where a server gives no ids."""
    git = repository.git
    try:
        await git(*_FETCH, "--", repository.address, commit, at=folder)
    except GitError:
        await git(*_FETCH, "--", repository.address, f"{HEADS}*:refs/remotes/origin/*", at=folder)


async def _tagged(git: Git, scratch: Path, work: Work, commit: str) -> str:
    await _named(git, work.tag or "")
    tag = f"{TAGS}{work.tag}"
    made = await git(
        "mktag",
        at=scratch,
        settings=_OURSELVES,
        given=(
            f"object {commit}\ntype commit\ntag {work.tag}\n"
            f"tagger Conductor <conductor@localhost> {await _when(git, scratch, commit)} +0000\n\n{work.message}\n"
        ).encode(),
    )
    await git("update-ref", tag, made.decode().strip(), at=scratch)
    return f"+{tag}:{tag}"


async def _when(git: Git, scratch: Path, commit: str) -> str:
    """Date a tag as its commit is: the same push again makes the same tag."""
    return (await git("show", "--no-patch", "--format=%ct", commit, at=scratch)).decode().strip()


async def _named(git: Git, name: str) -> None:
    try:
        await git("check-ref-format", f"{HEADS}{name}", at=git.home)
    except GitError as error:
        raise UsageError(f"git can have no branch or tag {name!r}", remedy="Choose another name.") from error


def _refusal(work: Work, error: GitError) -> Exception:
    said = error.said.lower()
    if any(sign in said for sign in _BEHIND):
        return ConflictError(
            f"{work.branch} has commits that are not in this workspace",
            remedy="Work on another branch, or take those commits in first: release the environment and ask for it again.",
        )
    if any(sign in said for sign in _REFUSED):
        return RefusedError(
            f"pushing {work.branch} was refused: {error.said[-600:]}",
            remedy="See what the credential that Conductor pushes with may do, and what the branch's rules ask for.",
        )
    return error


def _pack(folder: Path, archive: Path) -> None:
    with suppress(FileNotFoundError):
        archive.unlink()
    unfinished = archive.with_suffix(".part")
    with tarfile.open(unfinished, "w") as tar:
        for entry in sorted(folder.iterdir()):
            tar.add(entry, arcname=entry.name, filter=_ours)
    unfinished.rename(archive)


def _ours(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
