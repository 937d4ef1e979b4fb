"""What git's complaints mean, in Conductor's own errors."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from conductor.adapters.folder.git import GitError
from conductor.domain.verdict import Fault, Reason
from conductor.errors import ConductorError, NotFoundError, RunError, UnreachableError, UsageError

_AWAY = re.compile(
    r"could not resolve|couldn't connect|failed to connect|connection (refused|reset|timed out)|timed out"
    r"|network is unreachable|gnutls_|ssl (connect|certificate|error|routines)|server certificate"
    r"|returned error: (5\d\d|429)|early eof|hung up unexpectedly"
)
_CLOSED = re.compile(
    r"authentication failed|could not read (username|password)|returned error: 40[13]|invalid credentials"
)
_ABSENT = re.compile(
    r"repository .*not found|does not appear to be a git repository|returned error: 404|is gone"
)
_FULL = re.compile(r"no space left|disk quota exceeded|out of disk")


@contextmanager
def translated(doing: str, *, in_run: bool) -> Iterator[None]:
    """Raise git's and the disk's errors as our own: as the end of a run (`in_run`), or as the answer to a question."""
    try:
        yield
    except GitError as error:
        raise _meaning(doing, error.said, in_run=in_run) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise _broken(
            f"{doing}: {error.strerror}", Reason.DISK_FULL if full else Reason.CLONE_FAILED
        ) from error


def not_found(name: str, where: str, nearest: list[str]) -> NotFoundError:
    """Say that there is no such ref, and what was probably meant."""
    meant = (
        f"Did you mean {' or '.join(nearest)}?"
        if nearest
        else "`git ls-remote` shows the tags and branches there are."
    )
    return NotFoundError(f"there is no tag, branch or commit {name!r} in {where}", remedy=meant)


def owned_by_another(where: str) -> UsageError:
    """Say that the repository is somebody else's, and git does not read it."""
    return UsageError(
        f"reading {where}: the repository belongs to another user of this machine",
        remedy=f"If you trust it: git config --global --add safe.directory {where}",
    )


def _meaning(doing: str, said: str, *, in_run: bool) -> ConductorError:
    lower = said.lower()
    meaning: ConductorError = _other(doing, said, in_run=in_run)
    if _FULL.search(lower):
        meaning = _broken(f"{doing}: the disk is full", Reason.DISK_FULL)
    elif "dubious ownership" in lower:
        meaning = owned_by_another(doing)
    elif _CLOSED.search(lower):
        meaning = _denied(doing, in_run=in_run)
    elif _AWAY.search(lower):
        remedy = "See that the repository's host can be reached from here, then try again."
        meaning = UnreachableError(f"{doing}: {_last_line(said)}", remedy=remedy)
    elif _ABSENT.search(lower) and not in_run:
        meaning = NotFoundError(
            f"{doing}: there is no such repository", remedy="See that the address is right."
        )
    return meaning


def _other(doing: str, said: str, *, in_run: bool) -> ConductorError:
    if in_run:
        return _broken(f"{doing}: {_last_line(said)}", Reason.CLONE_FAILED)
    return UsageError(f"{doing}: git said: {_last_line(said)}", remedy="See that `git status` works there.")


def _denied(doing: str, *, in_run: bool) -> ConductorError:
    message = f"{doing}: it is not there, or it is private and the token does not open it"
    remedy = "See that the address is right; for a private repository set CONDUCTOR_GIT_TOKEN (and CONDUCTOR_GIT_HOST)."
    if in_run:
        return RunError(message, reason=Reason.CLONE_FAILED, fault=Fault.PLATFORM, remedy=remedy)
    return NotFoundError(message, remedy=remedy)


def _broken(message: str, reason: Reason) -> RunError:
    remedy = (
        "Free some space on the disk that holds the state folder."
        if reason is Reason.DISK_FULL
        else "Try again."
    )
    return RunError(message, reason=reason, fault=Fault.PLATFORM, remedy=remedy)


def _last_line(said: str) -> str:
    fatal = [line for line in said.splitlines() if line.startswith(("fatal:", "error:"))]
    return (fatal or said.splitlines() or [""])[-1][:300]
