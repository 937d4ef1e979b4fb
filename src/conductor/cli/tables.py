"""Lists as people read them. A verdict is always a word; colour only repeats it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.table import Table
from rich.text import Text

from conductor.cli.columns import Column, table_of
from conductor.cli.reporting import VERDICT_STYLES
from conductor.cli.words import source_text, state_text
from conductor.domain.lease import Lease, NamespaceStatus
from conductor.operations.runs import RunView
from conductor.operations.stacks import StackView
from conductor.ports.engine import Diagnosis
from conductor.ports.store import RunRow
from conductor.reports.readable import on_one_line
from conductor.reports.words import cost_in_words, duration, how_made, in_words

STATUS_STYLES = {**VERDICT_STYLES, "running": "cyan", "interrupted": "yellow"}
NO_RUNS = "There are no runs yet. `conductor run .` starts one."
NO_STACKS = "No stack is standing. A run keeps its stack with `conductor run . --no-cleanup`."


def runs_table(
    rows: Sequence[RunRow], *, now: datetime, width: int, interrupted: frozenset[str] = frozenset()
) -> Table | Text:
    """List runs, latest first; `interrupted` are ids of those whose process is gone."""
    if not rows:
        return Text(NO_RUNS)
    return table_of(_RUNS, [_run_cells(row, now, interrupted) for row in rows], width=width)


_RUNS = (
    Column("run"),
    Column("repository", 6),
    Column("ref", 6),
    Column("commit"),
    Column("verdict"),
    Column("reason", 6),
    Column("age"),
    Column("took"),
)


def _run_cells(row: RunRow, now: datetime, interrupted: frozenset[str]) -> list[Text]:
    source, word = row.run.source, verdict_word(row, interrupted)
    took = (row.ended_at - row.started_at).total_seconds() if row.started_at and row.ended_at else None
    return [
        Text(row.run.id if row.run.attempt == 1 else f"{row.run.id} ({row.run.attempt})"),
        Text(on_one_line(row.run.repository)),
        Text(on_one_line(source.ref or source.branch or "folder")),
        Text(source.commit[:7] + ("*" if source.dirty else "") if source.commit else ""),
        Text(word, STATUS_STYLES.get(word, "")),
        Text(row.outcome.reason if row.outcome and row.outcome.reason else ""),
        Text(ago(now - row.run.requested_at)),
        Text(duration(took) if took is not None else ""),
    ]


def verdict_word(row: RunRow, interrupted: frozenset[str] = frozenset()) -> str:
    """Say how a run ended, or how far it is."""
    if row.outcome:
        return str(row.outcome.verdict)
    return "interrupted" if row.run.id in interrupted else str(row.status)


def run_lines(view: RunView, *, now: datetime, interrupted: bool = False) -> Table:
    """Show a run that has no report yet: where it stands, its steps and images."""
    row = view.row
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    word = verdict_word(row, frozenset({row.run.id}) if interrupted else frozenset())
    table.add_row("run", Text(row.run.id, "bold"))
    table.add_row("code", Text(f"{on_one_line(row.run.repository)} {source_text(row.run)}"))
    table.add_row("status", Text(word, STATUS_STYLES.get(word, "")))
    table.add_row("asked", Text(f"{ago(now - row.run.requested_at)} ago by {on_one_line(row.run.principal)}"))
    for step in view.steps:
        took = duration(step.duration.total_seconds()) if step.duration is not None else "under way"
        about = f" {step.subject}" if step.subject else ""
        table.add_row("step", Text(on_one_line(f"{step.name}{about}: {step.error or took}")))
    for image in view.images:
        table.add_row("image", Text(on_one_line(f"{image.name}: {how_made(image)}")))
    for result in view.results:
        table.add_row("tests", Text(on_one_line(f"{result.suite}: {in_words(result.counts)}")))
    if interrupted:
        table.add_row("", Text(f"Its process is gone: conductor runs resume {row.run.id}", "yellow"))
    return table


def stacks_table(views: Sequence[StackView], *, now: datetime, width: int) -> Table | Text:
    """List what stands on the engine, first to end first."""
    if not views:
        return Text(NO_STACKS)
    shown = _STACKS if any(view.cost for view in views) else _STACKS[:-1]
    return table_of(shown, [_stack_cells(view, now)[: len(shown)] for view in views], width=width)


_STACKS = (
    Column("run"),
    Column("repository", 6),
    Column("branch", 6),
    Column("status"),
    Column("ends"),
    Column("services", 12),
    Column("cost", 8),
)


def _stack_cells(view: StackView, now: datetime) -> list[Text]:
    lease = view.lease
    services = ", ".join(f"{name} {state_text(state)}" for name, state in view.services.items())
    return [
        Text(view.info.run or view.info.name),
        Text(on_one_line(lease.repository) if lease else ""),
        Text(on_one_line(lease.branch) if lease else ""),
        Text(*_status(lease)),
        Text(end_text(lease, now)),
        Text(on_one_line(services)),
        Text(cost_in_words(view.cost).replace(" reserved", "") if view.cost else ""),
    ]


def address_lines(views: Sequence[StackView]) -> list[str]:
    """Say where services of stacks have addresses; a line each, so that none is cut."""
    return [f"{view.info.run}: {on_one_line(url)}\n" for view in views for url in view.info.addresses]


def end_text(lease: Lease | None, now: datetime) -> str:
    """Say when a lease ends: in words, since nobody adds up clocks."""
    if lease is None:
        return "no lease"
    if lease.expires_at is None:
        return "pinned"
    return "over" if lease.is_over(now) else f"in {ago(lease.expires_at - now)}"


def diagnoses_table(found: Sequence[Diagnosis]) -> Table:
    """List what doctor looked at; what is not well has what to do below it."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for one in found:
        word = Text("ok", "green") if one.ok else Text("not well", "bold red")
        table.add_row(word, Text(one.subject), Text(on_one_line(one.detail)))
        if one.remedy and not one.ok:
            table.add_row("", "", Text(on_one_line(one.remedy), "yellow"))
    return table


def ago(span: timedelta) -> str:
    """Say roughly how long, in one unit.

    >>> [ago(timedelta(seconds=s)) for s in (-1, 42, 150, 7500, 200_000)]
    ['0 s', '42 s', '2 min', '2 h', '2 d']
    """
    seconds = max(int(span.total_seconds()), 0)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _status(lease: Lease | None) -> tuple[str, str]:
    if lease is None:
        return "orphan", "yellow"
    colours = {
        NamespaceStatus.ACTIVE: "cyan",
        NamespaceStatus.KEPT: "green",
        NamespaceStatus.DELETING: "yellow",
    }
    return str(lease.status), colours.get(lease.status, "dim")
