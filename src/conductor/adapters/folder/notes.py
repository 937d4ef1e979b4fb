"""Notes on commits, where whoever has the repository reads them: `git fetch origin refs/notes/conductor:refs/notes/conductor`.

Law: one note a commit, written anew in its place; what is told of an earlier attempt never takes the place of a later one's.
"""

from __future__ import annotations

import re
from pathlib import Path

from conductor.adapters.folder.git import Git, GitError
from conductor.errors import ConflictError

REF = "refs/notes/conductor"
_FIRST_LINE = re.compile(r"conductor: run (?P<run>\S+), attempt (?P<attempt>\d+)$")
_OURSELVES = {"user.name": "Conductor", "user.email": "conductor@localhost", "commit.gpgSign": "false"}


async def write(git: Git, repository: Path, *, commit: str, run: str, attempt: int, text: str) -> bool:
    """Write what is to be told of a run as its commit's note. False: a later attempt of it is told there already.

    ConflictError where somebody else writes notes at this moment.
    """
    present = await read(git, repository, commit)
    told = _FIRST_LINE.match(present.partition("\n")[0])
    if told and told["run"] == run and int(told["attempt"]) > attempt:
        return False
    whole = f"conductor: run {run}, attempt {attempt}\n\n{text.strip()}\n"
    if whole.strip() != present.strip():
        await _add(git, repository, commit, whole)
    return True


async def read(git: Git, repository: Path, commit: str) -> str:
    """Return the note of a commit; empty where there is none."""
    try:
        return (await git("notes", f"--ref={REF}", "show", commit, at=repository)).decode(errors="replace")
    except GitError:
        return ""


async def _add(git: Git, repository: Path, commit: str, text: str) -> None:
    file = git.home / "note"
    file.write_text(text, encoding="utf-8")
    verb = ("add", "--force", "--file", str(file), commit)
    try:
        await git("notes", f"--ref={REF}", *verb, at=repository, settings=_OURSELVES)
    except GitError as error:
        if "lock" in error.said.lower():
            raise ConflictError(
                f"the notes of {repository} are being written by another process", remedy="Try again."
            ) from error
        raise
