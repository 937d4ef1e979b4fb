"""What a run looks like from outside, worked out from its events and its tests' log: the one model behind every view.

Law: pure. `advance` takes a progress and one event or line and gives the next; the same items in the same order give the same progress.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from conductor.cli.words import (
    State,
    build_text,
    service_state,
    service_text,
    step_name,
    suite_text,
    verdict_text,
)
from conductor.domain.event import Event, Kind
from conductor.domain.report import LogLine
from conductor.domain.run import Run

TAIL_LINES = 40
"""How many of the tests' last lines are remembered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One image, service or suite. `detail` is words on how it stands."""

    name: str
    state: State = State.WAITING
    started_at: datetime | None = None
    ended_at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage of the run. `open_steps` are those of its steps that are under way."""

    name: str
    state: State = State.WAITING
    started_at: datetime | None = None
    ended_at: datetime | None = None
    detail: str = ""
    open_steps: frozenset[str] = frozenset()
    rows: Mapping[str, Row] = field(default_factory=dict)


BUILDS, SERVICES, TESTS, VERDICT = "builds", "services", "tests", "verdict"
STAGES = ("clone", "plan", "namespace", "secrets", BUILDS, SERVICES, TESTS, "capture", VERDICT)
STAGE_OF_STEP: Mapping[str, str] = {
    "clone": "clone",
    "read-plan": "plan",
    "create-namespace": "namespace",
    "sync-secrets": "secrets",
    "make-image": BUILDS,
    "raise-stack": SERVICES,
    "start-tests": TESTS,
    "await-tests": TESTS,
    "read-results": TESTS,
    "give-up-suite": TESTS,
    "stop-run": "capture",
    "stop-tests": "capture",
    "capture-logs": "capture",
    "settle-lease": "capture",
    "write-report": "capture",
    "delete-namespace": "capture",
}
"""Steps that stand in no stage (such as the book-keeping at both ends) are not shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """A run so far. `outcome` is the data of its last event, once it has ended."""

    run: Run
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempt: int = 1
    stages: Mapping[str, Stage] = field(default_factory=lambda: {name: Stage(name=name) for name in STAGES})
    tail: tuple[LogLine, ...] = ()
    notes: tuple[str, ...] = ()
    outcome: Mapping[str, object] = field(default_factory=dict)


def advance(progress: Progress, item: Event | LogLine) -> Progress:
    """Take one more event of the run, or one more line of its tests, into account."""
    if isinstance(item, LogLine):
        return replace(progress, tail=(*progress.tail, item)[-TAIL_LINES:])
    change = _CHANGES.get(item.kind)
    return change(progress, item) if change else progress


def _start(progress: Progress, event: Event) -> Progress:
    attempt = int(event.data.get("attempt", progress.attempt))
    begun = progress.started_at or event.at
    if attempt == progress.attempt:
        return replace(progress, started_at=begun)
    return Progress(run=progress.run, started_at=begun, attempt=attempt, notes=progress.notes)


def _resume(progress: Progress, event: Event) -> Progress:
    return replace(progress, started_at=progress.started_at or event.at)


def _end(progress: Progress, event: Event) -> Progress:
    stages = {name: _cut_off(stage, event.at) for name, stage in progress.stages.items()}
    ending = State.DONE if event.data.get("verdict") == "passed" else State.FAILED
    stages[VERDICT] = Stage(name=VERDICT, state=ending, ended_at=event.at, detail=verdict_text(event.data))
    return replace(progress, ended_at=event.at, outcome=dict(event.data), stages=stages)


def _cut_off(stage: Stage, at: datetime) -> Stage:
    rows = {name: _stopped(row, at) for name, row in stage.rows.items()}
    if stage.state is not State.RUNNING:
        return replace(stage, rows=rows)
    return replace(stage, state=State.STOPPED, ended_at=at, open_steps=frozenset(), rows=rows)


def _stopped(row: Row, at: datetime) -> Row:
    return replace(row, state=State.STOPPED, ended_at=at) if row.state is State.RUNNING else row


def _step_started(progress: Progress, event: Event) -> Progress:
    stage = _stage_of(progress, event)
    if stage is None:
        return progress
    begun = replace(
        stage,
        state=State.RUNNING if stage.state is not State.FAILED else stage.state,
        started_at=stage.started_at or event.at,
        ended_at=None,
        open_steps=stage.open_steps | {_step_key(event)},
    )
    return _with(progress, begun)


def _step_ended(progress: Progress, event: Event) -> Progress:
    stage = _stage_of(progress, event)
    if stage is None:
        return progress
    still = stage.open_steps - {_step_key(event)}
    state = _ending(event) or stage.state
    if state in (State.WAITING, State.RUNNING) and not still:
        state = State.DONE
    ended = event.at if not still else None
    return _with(
        progress,
        replace(
            stage, state=state, open_steps=still, ended_at=ended, started_at=stage.started_at or event.at
        ),
    )


def _ending(event: Event) -> State | None:
    """Tell how a step ended that did not go well; a step that was cancelled did not fail."""
    error = event.data.get("error")
    if not error:
        return None
    return State.STOPPED if error == "cancelled" else State.FAILED


def _stage_of(progress: Progress, event: Event) -> Stage | None:
    name = STAGE_OF_STEP.get(step_name(event))
    return progress.stages[name] if name else None


def _step_key(event: Event) -> str:
    return f"{event.subject}/{event.data.get('subject', '')}"


def _with(progress: Progress, stage: Stage) -> Progress:
    return replace(progress, stages={**progress.stages, stage.name: stage})


def _put_row(progress: Progress, stage_name: str, row: Row) -> Progress:
    stage = progress.stages[stage_name]
    stage = replace(stage, started_at=stage.started_at or row.started_at, rows={**stage.rows, row.name: row})
    return _with(progress, replace(stage, state=_by_rows(stage), ended_at=_end_by_rows(stage)))


def _by_rows(stage: Stage) -> State:
    """Work out how far a stage is of which a row has changed: its steps decide where it has any under way."""
    states = {row.state for row in stage.rows.values()}
    if stage.state is State.FAILED or stage.open_steps or stage.name == SERVICES:
        return State.RUNNING if stage.state is State.WAITING else stage.state
    if State.RUNNING in states:
        return State.RUNNING
    return State.FAILED if State.FAILED in states else State.DONE


def _end_by_rows(stage: Stage) -> datetime | None:
    ends = [row.ended_at for row in stage.rows.values() if row.ended_at]
    under_way = stage.open_steps or len(ends) < len(stage.rows)
    return None if under_way else max([*ends, *([stage.ended_at] if stage.ended_at else [])])


def _row(progress: Progress, stage_name: str, event: Event) -> Row:
    return progress.stages[stage_name].rows.get(event.subject) or Row(name=event.subject, started_at=event.at)


def _build_started(progress: Progress, event: Event) -> Progress:
    row = Row(name=event.subject, state=State.RUNNING, started_at=event.at, detail="building")
    return _put_row(progress, BUILDS, row)


def _build_ended(progress: Progress, event: Event) -> Progress:
    state = State.FAILED if event.data.get("error") else State.DONE
    row = replace(_row(progress, BUILDS, event), state=state, ended_at=event.at, detail=build_text(event))
    return _put_row(progress, BUILDS, row)


def _service_changed(progress: Progress, event: Event) -> Progress:
    state = service_state(event.data)
    settled = state in (State.DONE, State.FAILED)
    before = _row(progress, SERVICES, event)
    ended_at = (before.ended_at or event.at) if settled else None
    row = replace(before, state=state, ended_at=ended_at, detail=service_text(event.data))
    return _put_row(progress, SERVICES, row)


def _suite_started(progress: Progress, event: Event) -> Progress:
    row = Row(name=event.subject, state=State.RUNNING, started_at=event.at, detail="running")
    return _put_row(progress, TESTS, row)


def _suite_ended(progress: Progress, event: Event) -> Progress:
    state = State.DONE if event.data.get("verdict") == "passed" else State.FAILED
    row = replace(_row(progress, TESTS, event), state=state, ended_at=event.at, detail=suite_text(event.data))
    moved = _put_row(progress, TESTS, row)
    stage = moved.stages[TESTS]
    return _with(moved, replace(stage, state=State.FAILED)) if state is State.FAILED else moved


def _note(progress: Progress, event: Event) -> Progress:
    return replace(progress, notes=(*progress.notes, str(event.data.get("text", ""))))


_CHANGES: Mapping[Kind, Callable[[Progress, Event], Progress]] = {
    Kind.RUN_STARTED: _start,
    Kind.RUN_RESUMED: _resume,
    Kind.RUN_ENDED: _end,
    Kind.STEP_STARTED: _step_started,
    Kind.STEP_ENDED: _step_ended,
    Kind.BUILD_STARTED: _build_started,
    Kind.BUILD_ENDED: _build_ended,
    Kind.SERVICE_CHANGED: _service_changed,
    Kind.SUITE_STARTED: _suite_started,
    Kind.SUITE_ENDED: _suite_ended,
    Kind.NOTE: _note,
}
