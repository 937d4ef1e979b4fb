"""`FolderHosting`: a folder of bare repositories on the server's own disk as a forge. Tags are pushed there, reports read from notes.

It has no logins and nobody who comments: whoever may push may start runs, and every other question of a forge is answered by no. Issues
are files in a ref (`issues.py`); what is told of a run stands beside its issue too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from conductor.adapters.folder import bare, issues, notes
from conductor.adapters.folder.git import Git, GitError
from conductor.adapters.folder.locations import Location
from conductor.adapters.folder.opening import Opener
from conductor.adapters.folder.payload import is_signed, is_text, read_push
from conductor.adapters.folder.problems import translated
from conductor.adapters.folder.refs import HEADS, TAGS, Refs
from conductor.adapters.folder.repository import Repository
from conductor.domain.delivery import (
    Announcement,
    CommandGiven,
    Delivery,
    Nothing,
    Order,
    Placed,
    Tag,
    TagPushed,
    Wish,
)
from conductor.domain.issues import find_issue
from conductor.domain.run import Run, Source, Status
from conductor.domain.telling import Telling
from conductor.domain.trigger import Cause, Trigger
from conductor.errors import NotFoundError

NAME = "folder"


class FolderHosting:
    """The repositories below `root`. `secret` is what hooks sign with; `tags` are globs of the tags that start runs."""

    name = NAME

    def __init__(self, root: Path, *, secret: str, tags: Sequence[str]) -> None:
        self._root = root
        self._secret = secret
        self._tags = tuple(tags)
        self._opener = Opener()

    def verify(self, body: bytes, signature: str) -> bool:
        """Tell whether a hook that knows the secret sent it."""
        return is_signed(self._secret, body, signature)

    def read(self, delivery: Delivery) -> Wish:
        """Tell what is wished for: a run, where a trigger tag was made or moved."""
        if delivery.event != "push":
            return Nothing(why=f"nothing is done for {delivery.event!r}")
        push = read_push(delivery.body)
        if isinstance(push, str):
            return Nothing(why=push)
        if push.tag is None or not self._starts(push.tag):
            return Nothing(why=f"{push.ref} is no trigger tag")
        if push.commit is None:
            return Nothing(why=f"the tag {push.tag} was deleted, or leads to no commit")
        return TagPushed(repository=push.repository, tag=push.tag, commit=push.commit, sender=push.pusher)

    async def place(self, pushed: TagPushed) -> Placed:
        """Find the branch whose head the commit is, and the issue that tag, commit or branch name. NotFoundError where it is not there."""
        async with self._open(pushed.repository) as repository:
            refs = await repository.refs()
            if await repository.find_commit(pushed.commit) is None:
                raise NotFoundError(
                    f"{pushed.repository} has no commit {pushed.commit}", remedy="Push the tag again."
                )
            branch = pushed.branch or refs.branch_of(pushed.commit)
            issue = await _issue(repository, refs, pushed, branch or "")
        return Placed(
            repository=pushed.repository,
            source=Source(
                location=repository.address,
                ref=pushed.tag,
                commit=pushed.commit,
                branch=branch or pushed.tag,
            ),
            trigger=Trigger(
                cause=Cause.TAG, hosting=self.name, tag=pushed.tag, sender=pushed.sender, issue=issue
            ),
        )

    async def place_command(self, given: CommandGiven) -> Placed:
        """Raise NotFoundError: nobody comments here."""
        raise NotFoundError(f"{given.repository} has no comments", remedy="Push a tag.")

    async def tags(self, repository: str, patterns: Sequence[str]) -> Sequence[Tag]:
        """List the trigger tags as they stand now."""
        async with self._open(repository) as opened:
            refs = await opened.refs()
        named = ((name.removeprefix(TAGS), at) for name, at in refs.commits.items() if name.startswith(TAGS))
        return [
            Tag(name=name, commit=commit)
            for name, commit in named
            if is_text(name) and any(fnmatchcase(name, pattern) for pattern in patterns)
        ]

    async def lost(self, *, since: datetime) -> Sequence[Delivery]:
        """Return none: a hook keeps nothing. The reconciler finds the tags themselves."""
        del since
        return ()

    async def order(self, repository: str, one: Placed | Run, other: Run) -> Order:
        """Tell which is newer: where the same tag or branch stands now wins, then ancestry."""
        mine, others = one.source.commit, other.source.commit
        if mine is None or others is None:
            return "unknown"
        if mine == others:
            return "same"
        async with self._open(repository) as opened:
            by_ref = _by_present_target(await opened.refs(), one.source, other.source)
            return by_ref or await _by_ancestry(opened, mine, others)

    async def repositories(self) -> Sequence[str]:
        """Name the repositories below the folder."""
        return await asyncio.to_thread(bare.find_all, self._root)

    async def may_write(self, repository: str, login: str) -> bool:
        """Say no: there are no logins."""
        del repository, login
        return False

    async def answer(self, given: CommandGiven, text: str, *, agreed: bool) -> None:
        """Do nothing: nobody gives commands here."""

    async def announce(self, announcement: Announcement, telling: Telling) -> Announcement:
        """Write it as the commit's note, and beside the issue: a line while the run is at work, the whole report once it has ended."""
        ended = telling.state is Status.ENDED
        told = replace(announcement, told=telling.fingerprint, final=ended, marks={"note": notes.REF})
        run = telling.run
        if announcement.told == telling.fingerprint:
            return told
        async with self._open(run.repository) as repository:
            commit = await repository.find_commit(run.source.commit or "HEAD")
            if commit is None:
                return replace(
                    told, final=True, error=f"{run.source.commit} is not in the repository any more"
                )
            text = telling.body if ended else telling.title
            folder = Path(repository.address)
            await notes.write(
                repository.git, folder, commit=commit, run=run.id, attempt=run.attempt, text=text
            )
            if (issue := run.trigger.issue if run.trigger else None) is not None:
                await issues.tell(repository.git, folder, issue=issue, run=run, text=text)
        return told

    async def aclose(self) -> None:
        """Let go of nothing: git runs as it is asked."""

    def _starts(self, tag: str) -> bool:
        return any(fnmatchcase(tag, pattern) for pattern in self._tags)

    @asynccontextmanager
    async def _open(self, name: str) -> AsyncIterator[Repository]:
        folder = await asyncio.to_thread(bare.folder_of, self._root, name)
        place = Location(text=str(folder), folder=folder)
        with translated(f"reading {name}", in_run=False):
            async with self._opener.git(place) as git:
                yield Repository(git=git, address=str(folder), objects=folder)


async def _issue(repository: Repository, refs: Refs, pushed: TagPushed, branch: str) -> int | None:
    ref = f"{TAGS}{pushed.tag}"
    moved = refs.commits.get(ref) != pushed.commit
    told = None if moved else await repository.tag_message(ref)
    message = await repository.message(pushed.commit)
    return find_issue(tag_message=told or "", commit_message=message, branch=branch)


def _by_present_target(refs: Refs, one: Source, other: Source) -> Order | None:
    """Ask the tag that both were started by, then the branch that both are of; None where neither decides."""
    shared = [TAGS + one.ref] if one.ref and one.ref == other.ref else []
    shared += [HEADS + one.branch] if one.branch and one.branch == other.branch else []
    for name in shared:
        if refs.commits.get(name) == one.commit:
            return "newer"
        if refs.commits.get(name) == other.commit:
            return "older"
    return None


async def _by_ancestry(repository: Repository, one: str, other: str) -> Order:
    if await _is_ancestor(repository.git, repository, other, one):
        return "newer"
    return "older" if await _is_ancestor(repository.git, repository, one, other) else "unknown"


async def _is_ancestor(git: Git, repository: Repository, earlier: str, later: str) -> bool:
    try:
        await git("merge-base", "--is-ancestor", earlier, later, at=Path(repository.address))
    except GitError:
        return False
    return True
