"""Reports and records as the command line hands them out: text for a terminal, data for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from conductor.domain.report import Report
from conductor.domain.run import Run
from conductor.domain.verdict import Outcome
from conductor.operations.runs import RunView
from conductor.ports.store import RunRow
from conductor.reports.as_json import as_data, outcome_data, run_data, to_json
from conductor.reports.digest import to_digest
from conductor.reports.markdown import to_markdown
from conductor.reports.terminal import to_text

if TYPE_CHECKING:
    from rich.console import Console

VERDICT_STYLES = {
    "passed": "bold green",
    "failed": "bold red",
    "broken": "bold magenta",
    "cancelled": "bold yellow",
    "superseded": "bold yellow",
}
FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": to_text,
    "markdown": to_markdown,
    "json": to_json,
    "digest": to_digest,
}
_SUMMARY = ("attempt", "started_at", "ended_at", "seconds", "counts", "notes", "partial", "lease", "links")


def written(report: Report, form: str) -> str:
    """Write it in one of FORMATS."""
    return FORMATS[form](report)


def print_report(console: Console, report: Report) -> None:
    """Print it for people: the verdict in its colour, headings bold, nothing cut.

    Where the beginning has scrolled out of the terminal, the verdict is said once more.
    """
    from rich.text import Text

    colour = VERDICT_STYLES.get(report.outcome.verdict, "bold")
    first, *lines = to_text(report).rstrip("\n").split("\n")
    console.print(Text(first, colour), soft_wrap=True)
    for line in lines:
        console.print(Text(line, "" if line.startswith(" ") else "bold"), soft_wrap=True)
    if console.is_terminal and len(lines) >= console.height:
        console.print()
        console.print(Text(first, colour), soft_wrap=True)


def outcome_line(outcome: Outcome) -> str:
    """Say how a run without a report ended."""
    why = f" ({outcome.reason})" if outcome.reason else ""
    return f"{outcome.verdict}{why}: {outcome.message}".rstrip(": ")


def summary(run: Run, outcome: Outcome, report: Report | None) -> dict[str, Any]:
    """Say all that a program wants to know of a run that has ended: the last line of a stream of events."""
    data = as_data(report) if report else {}
    suites = [
        {key: suite[key] for key in ("name", "verdict", "reason", "counts", "seconds")}
        for suite in data.get("suites", ())
    ]
    told = {key: data[key] for key in _SUMMARY if key in data}
    return {
        "kind": "outcome",
        "run": run.id,
        **outcome_data(outcome),
        "exit_code": outcome.exit_code,
        "suites": suites,
        **told,
    }


def row_data(row: RunRow, *, interrupted: bool) -> dict[str, Any]:
    """Make data of a run as lists show it."""
    return {
        **run_data(row.run),
        "status": "interrupted" if interrupted else row.status,
        "outcome": outcome_data(row.outcome) if row.outcome else None,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
    }


def view_data(view: RunView, *, interrupted: bool) -> dict[str, Any]:
    """Make data of one run, whole; its report where it has one."""
    return {
        **row_data(view.row, interrupted=interrupted),
        "steps": view.steps,
        "images": view.images,
        "report": as_data(view.report) if view.report else None,
    }
