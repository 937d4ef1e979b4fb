"""`FolderIssues`: the issues of bare repositories, Markdown files in a ref of their own.

Whoever has the repository reads and writes them: `git fetch origin refs/conductor/issues`. `12.md` is an issue; what would be a comment on
it elsewhere is a file beside it: `12/claim.md`, `12/run-<branch>.md`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from conductor.adapters.folder import bare, issue_files
from conductor.adapters.folder.git import Git
from conductor.adapters.folder.ledger import Ledger
from conductor.adapters.folder.locations import Location
from conductor.adapters.folder.opening import Opener
from conductor.adapters.folder.problems import translated
from conductor.domain.claim import Claim, Issue
from conductor.domain.names import slug
from conductor.domain.run import Run
from conductor.errors import NotFoundError

NAME = "folder"
REF = "refs/conductor/issues"
_CLAIM = "claim"


class FolderIssues:
    """Issues of the repositories below `root`."""

    name = NAME

    def __init__(self, root: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._root = root
        self._now = now
        self._opener = Opener()

    async def list_issues(
        self, repository: str, *, labels: Sequence[str] = (), limit: int = 50
    ) -> Sequence[Issue]:
        """Return open issues that bear all of the labels, oldest first."""
        async with self._open(repository) as ledger:
            files = await ledger.read()
        found = sorted(_issues(repository, files), key=lambda one: one.number)
        return [one for one in found if one.is_open and set(labels) <= set(one.labels)][:limit]

    async def location(self, repository: str) -> str:
        """Return the folder of the bare repository. NotFoundError where there is none."""
        return str(await asyncio.to_thread(bare.folder_of, self._root, repository))

    async def find_issue(self, repository: str, number: int) -> Issue:
        """Return one, open or closed."""
        async with self._open(repository) as ledger:
            return _found(repository, number, await ledger.read())

    async def show_claim(self, claim: Claim) -> Claim:
        """Write who works on it beside the issue."""
        path = issue_files.beside(claim.issue, _CLAIM)

        def change(files: Mapping[str, str]) -> Mapping[str, str]:
            _found(claim.repository, claim.issue, files)
            return {path: _claimed(claim)}

        async with self._open(claim.repository) as ledger:
            await ledger.change(change, why=f"#{claim.issue} is claimed")
        return replace(claim, marks={**claim.marks, "file": path})

    async def hide_claim(self, claim: Claim) -> None:
        """Write that nobody works on it, where it is this claim that is shown."""
        path = issue_files.beside(claim.issue, _CLAIM)

        def change(files: Mapping[str, str]) -> Mapping[str, str]:
            is_shown = _mark(claim) in files.get(path, "")
            return {path: "Nobody works on this.\n"} if is_shown else {}

        async with self._open(claim.repository) as ledger:
            await ledger.change(change, why=f"#{claim.issue} is free")

    async def create_issue(
        self, repository: str, *, title: str, body: str = "", labels: Sequence[str] = (), author: str = ""
    ) -> Issue:
        """Open one under the next number."""
        made: list[Issue] = []

        def change(files: Mapping[str, str]) -> Mapping[str, str]:
            number = 1 + max((issue_files.number_of(path) or 0 for path in files), default=0)
            issue = Issue(
                repository=repository,
                number=number,
                title=" ".join(title.split()),
                body=body.strip(),
                labels=tuple(labels),
                author=author,
                updated_at=self._now(),
            )
            made[:] = [issue]
            return {issue_files.path_of(number): issue_files.written(issue)}

        async with self._open(repository) as ledger:
            await ledger.change(change, why=f"Issue: {title}")
        return made[0]

    async def close_issue(self, repository: str, number: int) -> Issue:
        """Close it."""
        made: list[Issue] = []

        def change(files: Mapping[str, str]) -> Mapping[str, str]:
            issue = _found(repository, number, files)
            made[:] = [replace(issue, is_open=False, updated_at=self._now()) if issue.is_open else issue]
            return {issue_files.path_of(number): issue_files.written(made[0])} if issue.is_open else {}

        async with self._open(repository) as ledger:
            await ledger.change(change, why=f"#{number} is closed")
        return made[0]

    @asynccontextmanager
    async def _open(self, name: str) -> AsyncIterator[Ledger]:
        folder = await asyncio.to_thread(bare.folder_of, self._root, name)
        place = Location(text=str(folder), folder=folder)
        with translated(f"reading the issues of {name}", in_run=False):
            async with self._opener.git(place) as git:
                yield Ledger(git=git, repository=folder, ref=REF)


async def tell(git: Git, repository: Path, *, issue: int, run: Run, text: str) -> bool:
    """Write what is to be told of a run beside its issue: one file for each branch. False: there is no such issue.

    What is told of an older run never takes the place of a newer one's.
    """
    path = issue_files.beside(issue, _file_of(run))
    mark = f"<!-- conductor: run={run.id} attempt={run.attempt} at={int(run.requested_at.timestamp() * 1000)} -->"
    known: list[bool] = []

    def change(files: Mapping[str, str]) -> Mapping[str, str]:
        known[:] = [issue_files.path_of(issue) in files]
        if not known[0] or _is_newer(files.get(path, ""), run):
            return {}
        return {path: f"{mark}\n{text.strip()}\n"}

    await Ledger(git=git, repository=repository, ref=REF).change(change, why=f"#{issue}: run {run.id}")
    return known[0]


def _is_newer(present: str, run: Run) -> bool:
    """Tell whether what stands there is of a later run, or of a later attempt."""
    words = dict(part.split("=", 1) for part in present.partition("\n")[0].split() if "=" in part)
    attempt, at = words.get("attempt", ""), words.get("at", "")
    if not (attempt.isdecimal() and at.isdecimal()):
        return False
    if words.get("run") == run.id:
        return int(attempt) > run.attempt
    return int(at) > int(run.requested_at.timestamp() * 1000)


def _file_of(run: Run) -> str:
    branch = run.source.branch or run.id
    return f"{slug(f'run-{branch}', length=40)}-{hashlib.sha256(branch.encode()).hexdigest()[:6]}"


def _issues(repository: str, files: Mapping[str, str]) -> list[Issue]:
    named = ((issue_files.number_of(path), text) for path, text in files.items())
    return [issue_files.read(repository, number, text) for number, text in named if number]


def _found(repository: str, number: int, files: Mapping[str, str]) -> Issue:
    text = files.get(issue_files.path_of(number))
    if text is None:
        raise NotFoundError(
            f"{repository} has no issue {number}", remedy="`conductor issues list` shows the open ones."
        )
    return issue_files.read(repository, number, text)


def _mark(claim: Claim) -> str:
    made = f"{claim.principal}/{claim.claimed_at.isoformat()}"
    return f"<!-- conductor: claim={hashlib.sha256(made.encode()).hexdigest()[:16]} -->"


def _claimed(claim: Claim) -> str:
    who = " ".join(claim.principal.split()).replace("`", "'")
    until = f"{claim.expires_at:%Y-%m-%d %H:%M} UTC"
    return f"{_mark(claim)}\n`{who}` works on this until {until}, on the branch `{claim.branch}`.\n"
