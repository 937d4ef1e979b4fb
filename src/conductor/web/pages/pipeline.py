"""The pipeline of a run as a picture: its stages side by side, and a timeline of their steps; worked out from what is on record. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from conductor.domain.event import StepRecord
from conductor.domain.results import SuiteResult
from conductor.domain.run import Status
from conductor.domain.verdict import Verdict
from conductor.ports.store import RunRow

WIDTH = 1000
"""Of the timeline, in the picture's own units."""
SHORTEST = 3
MOST_BARS = 60


class State(StrEnum):
    """How far a stage is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "not reached"


STAGES: Mapping[str, tuple[str, ...]] = {
    "clone": ("clone", "take-over"),
    "plan": ("read-plan",),
    "namespace": ("create-namespace", "hold-stack"),
    "secrets": ("sync-secrets",),
    "builds": ("make-image",),
    "services": ("raise-stack",),
    "tests": ("start-tests", "await-tests", "read-results", "give-up-suite"),
    "capture": (
        "scan-images",
        "attest-images",
        "stop-run",
        "stop-tests",
        "capture-logs",
        "settle-lease",
        "write-report",
        "delete-namespace",
    ),
}
"""Which steps each stage consists of; others are book-keeping and not shown."""
_ORDER = {step: at for at, step in enumerate(step for steps in STAGES.values() for step in steps)}
_NOT_ALWAYS = ("secrets",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage: how far it is and how long it took, or has taken."""

    name: str
    state: State
    seconds: float | None = None
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One step on the timeline. `left` and `width` are of `WIDTH`."""

    name: str
    left: int
    width: int
    seconds: float
    state: State


@dataclass(frozen=True, kw_only=True, slots=True)
class Pipeline:
    """The whole picture. `seconds` is what the timeline spans."""

    stages: Sequence[Stage]
    bars: Sequence[Bar]
    seconds: float


def pipeline(
    row: RunRow, steps: Sequence[StepRecord], results: Sequence[SuiteResult], *, now: datetime
) -> Pipeline:
    """Work it out. What has no end yet lasts until `now`, or until the run's end."""
    end = row.ended_at or now
    red = any(one.outcome.verdict is not Verdict.PASSED for one in results)
    stages = [
        _stage(name, [one for one in steps if one.name in names], row, end, red=red and name == "tests")
        for name, names in STAGES.items()
        if name not in _NOT_ALWAYS or any(one.name in names for one in steps)
    ]
    shown = [one for one in steps if one.name in _ORDER]
    shown = sorted(shown, key=lambda one: (one.started_at, _ORDER[one.name]))[:MOST_BARS]
    begin = min((one.started_at for one in shown), default=row.started_at or end)
    whole = max((end - begin).total_seconds(), 0.001)
    return Pipeline(stages=stages, bars=[_bar(one, begin, whole, end) for one in shown], seconds=whole)


def _stage(name: str, steps: Sequence[StepRecord], row: RunRow, end: datetime, *, red: bool) -> Stage:
    if not steps:
        return Stage(name=name, state=State.SKIPPED if row.status is Status.ENDED else State.WAITING)
    errors = [one.error for one in steps if one.error]
    is_open = any(one.ended_at is None for one in steps) and row.status is not Status.ENDED
    state = State.FAILED if errors or red else State.RUNNING if is_open else State.DONE
    begun = min(one.started_at for one in steps)
    until = max(one.ended_at or end for one in steps)
    subjects = sorted({one.subject for one in steps if one.subject})
    detail = ", ".join(subjects) if len(subjects) < 4 else f"{len(subjects)} of them"  # noqa: PLR2004 -- what a card has room for
    return Stage(name=name, state=state, seconds=max((until - begun).total_seconds(), 0.0), detail=detail)


def _bar(step: StepRecord, begin: datetime, whole: float, end: datetime) -> Bar:
    until = step.ended_at or end
    left = (step.started_at - begin).total_seconds() / whole
    seconds = max((until - step.started_at).total_seconds(), 0.0)
    width = max(round(seconds / whole * WIDTH), SHORTEST)
    at = min(max(round(left * WIDTH), 0), WIDTH - SHORTEST)
    state = State.FAILED if step.error else State.DONE if step.ended_at else State.RUNNING
    name = f"{step.name} {step.subject}".strip()
    return Bar(name=name, left=at, width=min(width, WIDTH - at), seconds=seconds, state=state)


def columns(values: Iterable[float], *, height: int) -> Sequence[int]:
    """Scale figures to the height of a small chart: each has one unit at least.

    >>> columns([0, 5, 10], height=20)
    [1, 10, 20]
    """
    known = list(values)
    most = max(known, default=0.0) or 1.0
    return [max(round(one / most * height), 1) for one in known]
