"""The queue: who runs next, who waits for what, and who is overtaken. Pure: entries in, a decision out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from conductor.domain.trigger import Priority


class Standing(StrEnum):
    """Where an entry stands."""

    WAITING = "waiting"
    ACTIVE = "active"
    """Admitted: its workflow runs, or is about to, or its teardown is still at it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A run in the queue. `arrival` counts up over all entries."""

    run: str
    attempt: int
    repository: str
    branch: str
    commit: str
    arrival: int
    enqueued_at: datetime
    priority: Priority = Priority.NORMAL
    standing: Standing = Standing.WAITING
    admitted_at: datetime | None = None
    executor: str = ""
    """The process that admitted it."""
    last_turn: int = 0
    """When its repository was served last, as a count of admissions over all; 0: never."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much may be active at a time. None is no limit."""

    runs: int | None = None
    runs_per_repository: int | None = None
    draining: bool = False
    """Nothing new is admitted; what runs goes on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a waiting entry stands, for people: position from 1, what it waits for, and when it may begin (None: nobody can tell)."""

    entry: Entry
    position: int
    reason: str
    estimate: timedelta | None = None
