"""What set a run off, and whom on the forge it concerns: recorded with the run, read by whoever announces it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Cause(StrEnum):
    """The ways in which a run comes about."""

    TAG = "tag"
    COMMAND = "command"
    """A comment on an issue: `/conductor run`."""
    BUTTON = "button"
    """"Re-run" on a check."""
    RECONCILED = "reconciled"
    """A tag whose delivery was lost, or that was found by polling."""
    API = "api"
    CLI = "cli"


class Priority(IntEnum):
    """Who goes first where several wait: higher ones do. Within one, repositories take turns."""

    LOW = -10
    NORMAL = 0
    HIGH = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger:
    """Where a run came from. Empty and None: it is not known, or there is none."""

    cause: Cause = Cause.CLI
    hosting: str = ""
    """Which forge announces it: `github`, `folder`."""
    delivery: str = ""
    tag: str = ""
    sender: str = ""
    """The login of who did it, on the forge."""
    issue: int | None = None
    pull_request: int | None = None
    priority: Priority = Priority.NORMAL
