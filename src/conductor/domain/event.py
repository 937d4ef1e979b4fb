"""Events: the append-only log of a run that every surface reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol


class Told(Protocol):
    """Whatever has a log and steps: a run, or an environment."""

    @property
    def id(self) -> str:
        """Under which its log is kept."""
        ...

    @property
    def attempt(self) -> int:
        """Under which its steps are kept, besides."""
        ...


class Kind(StrEnum):
    """What happened. `subject` of the event names to what."""

    RUN_REQUESTED = "run.requested"
    RUN_STARTED = "run.started"
    RUN_RESUMED = "run.resumed"
    RUN_ENDED = "run.ended"
    """data: verdict, reason, fault, message, remedy, repository, seconds (since the attempt began), and its cost:
    cpu_hours, gib_hours, price, currency."""
    STEP_STARTED = "step.started"
    STEP_ENDED = "step.ended"
    """subject of both: the step's name; data: subject (where the step is done for several), seconds, error (absent when it went well)."""
    BUILD_STARTED = "build.started"
    """subject: the image's name (`tests/<suite>` or the service)."""
    BUILD_ENDED = "build.ended"
    """data: seconds, cached, digest, error."""
    IMAGE_SCANNED = "image.scanned"
    """subject: the image's name; data: state, counts (by severity), message."""
    SERVICE_CHANGED = "service.changed"
    """subject: the service; data: phase, health, reason, message, exit_code, restarts."""
    SUITE_STARTED = "suite.started"
    SUITE_ENDED = "suite.ended"
    """data: verdict, passed, failed, errors, skipped, quarantined, seconds."""
    USAGE_PEAKED = "usage.peaked"
    """subject: what was under way (`stack`, or a suite); data: cpu_cores, memory_bytes: the most that all workloads took together."""
    ENVIRONMENT_CHANGED = "environment.changed"
    """data: status, message."""
    LEASE_CHANGED = "lease.changed"
    """data: status, expires_at."""
    NOTE = "note"
    """data: text; what a reader of the report should know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One line of the log. `key` makes it once-only: appending the same key again changes nothing.

    `seq` is given by the store, ascending within a run; 0 before that.
    """

    run: str
    key: str
    at: datetime
    kind: Kind
    subject: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRecord:
    """One step of a run, as `steps` shows it."""

    run: str
    attempt: int
    name: str
    subject: str = ""
    """Which image, service or suite, where the step is done for several."""
    started_at: datetime
    ended_at: datetime | None = None
    error: str = ""

    @property
    def duration(self) -> timedelta | None:
        """How long it took; None while it runs."""
        return self.ended_at - self.started_at if self.ended_at else None
