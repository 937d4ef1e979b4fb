"""Every way in which Conductor says no, with what to do about it.

    ConductorError
    ├── UsageError                  the question was wrong
    │   ├── ConfigurationError      files of the repository; carries every problem at once
    │   └── NotFoundError           no such run, stack, service, file
    ├── RefusedError                asked for something that Conductor does not do, for a reason
    ├── RunError                    there was no fair test; carries the reason word and whose fault it is
    ├── UnreachableError            engine, forge, registry or store does not answer
    ├── ConflictError               somebody else holds what was asked for
    ├── CancelledRunError           somebody stopped what was waited for
    └── StateError                  our own records are damaged, or the disk is full

The class decides: `code` is stable and documented, `retryable` says whether the same call may go well later, `exit_code` is what
the command line answers. The message says what we were doing and to what; `remedy` says what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar


class ConductorError(Exception):
    """The root: nothing else leaves an adapter."""

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 3
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(ConductorError):
    """The command or the call does not make sense as it stands."""

    code = "usage"
    exit_code = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One mistake in one file. Lines and columns count from 1; 0 is unknown. `source` is the text of that line."""

    file: str
    line: int = 0
    column: int = 0
    message: str
    remedy: str = ""
    source: str = ""
    refused: bool = False
    """Right as it stands, but on the closed list of what Conductor does not do."""

    def __str__(self) -> str:
        """Show it as compilers do: place and message, the line, a caret, what to do."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        lines = [f"{place}: {self.message}"]
        if self.source and self.line:
            cut = self.source.replace("\t", " ")[:160]
            lines += (
                [f"    {cut}", f"    {' ' * (self.column - 1)}^"]
                if 0 < self.column <= len(cut)
                else [f"    {cut}"]
            )
        if self.remedy:
            lines.append(f"    {self.remedy}")
        return "\n".join(lines)


class ConfigurationError(UsageError):
    """Files of the repository are wrong; carries every problem with file, line and caret, all at once."""

    code = "configuration"

    def __init__(self, problems: Sequence[Problem], *, remedy: str = "") -> None:
        super().__init__("\n".join(str(problem) for problem in problems), remedy=remedy)
        self.problems = tuple(problems)


class NotFoundError(UsageError):
    """What was named does not exist."""

    code = "not-found"


class RefusedError(UsageError):
    """What was asked for is on the closed list of things that Conductor does not do."""

    code = "refused"


class RunError(ConductorError):
    """There was no fair test. `reason` is the reason word, `fault` is "repository" or "platform", `subject` what it is about."""

    code = "broken"

    def __init__(self, message: str, *, reason: str, fault: str, remedy: str = "", subject: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason
        self.fault = fault
        self.subject = subject


class UnreachableError(ConductorError):
    """Something outside does not answer. `retry_after` is how long it wants to be left alone, where it says so."""

    code = "unreachable"
    exit_code = 4
    retryable = True

    def __init__(self, message: str, *, remedy: str = "", retry_after: timedelta | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after = retry_after


class ConflictError(ConductorError):
    """Somebody else holds it: a port, a lock, a name."""

    code = "conflict"
    exit_code = 2
    retryable = True


class CancelledRunError(ConductorError):
    """What was waited for was cancelled: it has no result."""

    code = "cancelled"
    exit_code = 130


class StateError(ConductorError):
    """Conductor's own records cannot be read or written."""

    code = "state"
    exit_code = 3
