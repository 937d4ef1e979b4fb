"""Lists as people read them. A verdict is always a word; colour only repeats it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.table import Table
from rich.text import Text

from conductor.cli.reporting import VERDICT_STYLES
from conductor.cli.words import source_text, state_text
from conductor.domain.lease import Lease, NamespaceStatus
from conductor.operations.runs import RunView
from conductor.operations.stacks import StackView
from conductor.ports.engine import Diagnosis
from conductor.ports.store import RunRow
from conductor.reports.readable import on_one_line
from conductor.reports.words import duration, how_made, in_words

STATUS_STYLES = {**VERDICT_STYLES, "running": "cyan", "interrupted": "yellow"}
NO_RUNS = "There are no runs yet. `conductor run .` starts one."
NO_STACKS = "No stack is standing. A run keeps its stack with `conductor run . --no-cleanup`."


def runs_table(
    rows: Sequence[RunRow], *, now: datetime, interrupted: frozenset[str] = frozenset()
) -> Table | Text:
    """List runs, latest first; `interrupted` are ids of those whose process is gone."""
    if not rows:
        return Text(NO_RUNS)
    table = _table("run", "repository", "ref", "verdict", "reason", "age", "took")
    for column, least in ((1, 6), (2, 8), (4, 6)):
        table.columns[column].overflow = "ellipsis"
        table.columns[column].min_width = least
    for row in rows:
        word = verdict_word(row, interrupted)
        reason = row.outcome.reason if row.outcome and row.outcome.reason else ""
        table.add_row(
            Text(row.run.id),
            Text(on_one_line(row.run.repository)),
            Text(source_text(row.run)),
            Text(word, STATUS_STYLES.get(word, "")),
            Text(str(reason)),
            Text(ago(now - row.run.requested_at)),
            Text(_took(row, now)),
        )
    return table


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


def stacks_table(views: Sequence[StackView], *, now: datetime) -> Table | Text:
    """List what stands on the engine, first to end first."""
    if not views:
        return Text(NO_STACKS)
    table = _table("run", "repository", "branch", "status", "ends", "services")
    for column, least in ((1, 6), (2, 6), (5, 12)):
        table.columns[column].overflow = "ellipsis"
        table.columns[column].min_width = least
    for view in views:
        lease = view.lease
        table.add_row(
            Text(view.info.run or view.info.name),
            Text(on_one_line(lease.repository) if lease else ""),
            Text(on_one_line(lease.branch) if lease else ""),
            Text(*_status(lease)),
            Text(end_text(lease, now)),
            Text(
                on_one_line(", ".join(f"{name} {state_text(state)}" for name, state in view.services.items()))
            ),
        )
    return table


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


def _took(row: RunRow, now: datetime) -> str:
    if row.started_at is None:
        return ""
    return duration(((row.ended_at or now) - row.started_at).total_seconds()) if row.ended_at else ""


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table
