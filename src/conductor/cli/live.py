"""A run as a picture that is drawn over and over: its stages with times and bars, what is at work in them, the tests' last lines.

Law: pure but for `LiveView` in `surfaces`; the same progress, size and moment give the same lines, and never more than fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rich.console import Group
from rich.text import Text

from conductor.cli.colours import log_text
from conductor.cli.progress import BUILDS, SERVICES, STAGES, TESTS, VERDICT, Progress, Row, Stage
from conductor.cli.words import State, source_text
from conductor.domain.report import LogLine
from conductor.reports.readable import on_one_line
from conductor.reports.words import duration

STYLES = {
    State.WAITING: "dim",
    State.RUNNING: "cyan",
    State.DONE: "green",
    State.FAILED: "bold red",
    State.STOPPED: "yellow",
}
TIME_WIDTH, DETAIL_WIDTH = 11, 31
BAR_FROM = 76
"""Narrower terminals get no bars."""
LOG_LINES = 6
HEADER, WORKING, WRONG, LATEST_LOG, ACTIVE_ROW, PAST, LOG, AHEAD, SETTLED_ROW = range(9)
"""What is given up last comes first, when the terminal is too low for all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Glyphs:
    """The signs of a view. Words stand beside every one of them."""

    states: dict[State, str]
    bar: str
    tail: str
    gap: str


UNICODE = Glyphs(
    states={State.WAITING: "·", State.RUNNING: "▸", State.DONE: "✓", State.FAILED: "✗", State.STOPPED: "■"},
    bar="━",
    tail="│",
    gap=" ",
)
ASCII = Glyphs(
    states={State.WAITING: ".", State.RUNNING: ">", State.DONE: "+", State.FAILED: "x", State.STOPPED: "#"},
    bar="=",
    tail="|",
    gap=" ",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Canvas:
    """What is drawn on: size in characters, the present moment, the signs that the terminal can show."""

    width: int
    height: int
    now: datetime
    glyphs: Glyphs = UNICODE

    @property
    def name_width(self) -> int:
        """How much of a line the names get."""
        return min(22, max(10, self.width * 2 // 5))


@dataclass(frozen=True, slots=True)
class _Ranked:
    rank: int
    text: Text


def draw(progress: Progress, canvas: Canvas) -> Group:
    """Draw it, cut to the canvas."""
    lines = list(_lines(progress, canvas))
    room = max(canvas.height, 1)
    chosen = sorted(sorted(range(len(lines)), key=lambda number: (lines[number].rank, number))[:room])
    return Group(*(_cut(lines[number].text, canvas.width) for number in chosen))


def _cut(text: Text, width: int) -> Text:
    text.no_wrap = True
    text.rstrip()
    text.truncate(max(width, 1), overflow="ellipsis")
    return text


def _lines(progress: Progress, canvas: Canvas) -> Iterator[_Ranked]:
    yield _Ranked(HEADER, _header(progress, canvas))
    for name in STAGES:
        stage = progress.stages[name]
        yield _Ranked(_stage_rank(stage), _stage_line(progress, stage, canvas))
        yield from _row_lines(progress, stage, canvas)
        if name == TESTS and stage.state is State.RUNNING:
            yield from _log_lines(progress, canvas)


def _header(progress: Progress, canvas: Canvas) -> Text:
    run = progress.run
    elapsed = duration(((progress.ended_at or canvas.now) - run.requested_at).total_seconds())
    attempt = f"  attempt {progress.attempt}" if progress.attempt > 1 else ""
    left = Text.assemble(
        (run.id, "bold"), f"  {on_one_line(run.repository)}  ", (source_text(run) + attempt, "dim")
    )
    left.truncate(max(canvas.width - len(elapsed) - 1, 1), overflow="ellipsis", pad=True)
    return left.append(f" {elapsed}", "bold")


def _stage_rank(stage: Stage) -> int:
    by_state = {State.WAITING: AHEAD, State.RUNNING: WORKING, State.DONE: PAST}
    return WORKING if stage.name == VERDICT and stage.detail else by_state.get(stage.state, WRONG)


def _row_rank(row: Row) -> int:
    return {State.RUNNING: ACTIVE_ROW, State.FAILED: WRONG}.get(row.state, SETTLED_ROW)


def _stage_line(progress: Progress, stage: Stage, canvas: Canvas) -> Text:
    detail = stage.detail or _summary(stage)
    name = Text.assemble((canvas.glyphs.states[stage.state], STYLES[stage.state]), f" {stage.name}")
    name.stylize("dim" if stage.state is State.WAITING else "", 2)
    return _columns(
        progress, stage, name, Text(detail, STYLES[stage.state] if stage.name == VERDICT else ""), canvas
    )


def _row_lines(progress: Progress, stage: Stage, canvas: Canvas) -> Iterator[_Ranked]:
    for row in _shown(stage):
        style = STYLES[row.state]
        name = Text.assemble("    ", (canvas.glyphs.states[row.state], style), f" {on_one_line(row.name)}")
        yield _Ranked(
            _row_rank(row), _columns(progress, row, name, Text(on_one_line(row.detail), style), canvas)
        )


def _shown(stage: Stage) -> list[Row]:
    """Pick what is worth a line: all while the stage is at work, then what went wrong; never what the stage's own line says."""
    rows = list(stage.rows.values())
    if stage.name == TESTS and len(rows) == 1:
        return []
    return [row for row in rows if stage.state is State.RUNNING or row.state is State.FAILED]


def _columns(progress: Progress, what: Stage | Row, name: Text, detail: Text, canvas: Canvas) -> Text:
    """Put name, time, words and bar side by side; the words take the room of the bar where there is none."""
    name.truncate(canvas.name_width, overflow="ellipsis", pad=True)
    line = Text.assemble(name, Text(_took(what, canvas).rjust(TIME_WIDTH), "dim"), "  ")
    bar = _bar(progress, what, canvas)
    if bar is None:
        return line.append_text(detail)
    detail.truncate(DETAIL_WIDTH, overflow="ellipsis", pad=True)
    return line.append_text(detail).append(" ").append_text(bar)


def _took(what: Stage | Row, canvas: Canvas) -> str:
    if what.started_at is None:
        return ""
    return duration(((what.ended_at or canvas.now) - what.started_at).total_seconds())


def _bar(progress: Progress, what: Stage | Row, canvas: Canvas) -> Text | None:
    """Show when in the run it happened, on a line that is the whole run so far."""
    room = canvas.width - canvas.name_width - TIME_WIDTH - DETAIL_WIDTH - 3
    if canvas.width < BAR_FROM or what.started_at is None:
        return None
    begin, end = progress.run.requested_at, progress.ended_at or canvas.now
    whole = max((end - begin).total_seconds(), 0.001)
    first = int(room * min(max((what.started_at - begin).total_seconds() / whole, 0.0), 1.0))
    last = int(room * min(max(((what.ended_at or end) - begin).total_seconds() / whole, 0.0), 1.0))
    first = min(first, room - 1)
    return Text(canvas.glyphs.gap * first + canvas.glyphs.bar * max(last - first, 1), STYLES[what.state])


def _summary(stage: Stage) -> str:
    """Say how many of its rows are how far; of a single suite, what came out of it."""
    rows = tuple(stage.rows.values())
    if not rows:
        return ""
    done = sum(1 for row in rows if row.state is State.DONE)
    if stage.name == BUILDS:
        unchanged = sum(1 for row in rows if row.detail == "unchanged")
        return f"{done} of {len(rows)}" + (f", {unchanged} unchanged" if unchanged else "")
    if stage.name == SERVICES:
        return f"{done} ready" + (f", {len(rows) - done} not" if done < len(rows) else "")
    return rows[0].detail if len(rows) == 1 else f"{done} of {len(rows)} passed"


def _log_lines(progress: Progress, canvas: Canvas) -> Iterator[_Ranked]:
    suites = len(progress.stages[TESTS].rows)
    shown = progress.tail[-LOG_LINES:]
    for number, line in enumerate(shown):
        rank = LATEST_LOG if number >= len(shown) - 2 else LOG
        yield _Ranked(rank, _log_line(line, canvas, several=suites > 1))


def _log_line(line: LogLine, canvas: Canvas, *, several: bool) -> Text:
    before = f"    {canvas.glyphs.tail} " + (f"{line.workload}: " if several else "")
    return Text(before, "dim").append_text(Text.from_ansi(log_text(line.text, coloured=True)))
