"""Environments as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from conductor.cli.columns import Column, table_of
from conductor.cli.tables import ago
from conductor.operations.environments import EnvironmentView
from conductor.reports.readable import on_one_line

NO_ENVIRONMENTS = "There is no environment."
_COLUMNS = (
    Column("environment", 16),
    Column("status"),
    Column("issue"),
    Column("branch", 8),
    Column("for", 5),
    Column("ends"),
)


def environments_table(views: Sequence[EnvironmentView], *, now: datetime, width: int) -> Table | Text:
    """List environments, latest first."""
    if not views:
        return Text(NO_ENVIRONMENTS)
    return table_of(_COLUMNS, [_cells(view, now) for view in views], width=width)


def environment_lines(view: EnvironmentView, *, now: datetime) -> Iterator[str]:
    """Tell all of one: what was asked for, where it stands, how it came there."""
    asked, state = view.row.environment, view.row.state
    facts = {
        "status": f"{state.status}{': ' + state.message if state.message else ''}",
        "remedy": state.remedy,
        "repository": asked.repository,
        "issue": f"#{asked.issue}" if asked.issue else "",
        "branch": asked.branch,
        "begun at": (asked.source.commit or "")[:12],
        "workspace": f"{asked.kind}, {state.image}" if state.image else str(asked.kind),
        "secrets": ", ".join(state.secrets),
        "asked for by": asked.principal,
        "ends": _end(view, now),
        **state.links,
    }
    yield asked.id
    for name, fact in facts.items():
        if fact:
            yield f"{name}: {on_one_line(fact)}"
    for step in view.steps:
        took = f"{(step.ended_at - step.started_at).total_seconds():.1f} s" if step.ended_at else "under way"
        yield f"  {step.name:32} {took}{'  ' + on_one_line(step.error) if step.error else ''}"


def _cells(view: EnvironmentView, now: datetime) -> list[Text]:
    asked, state = view.row.environment, view.row.state
    return [
        Text(asked.id),
        Text(str(state.status)),
        Text(f"#{asked.issue}" if asked.issue else ""),
        Text(on_one_line(asked.branch)),
        Text(on_one_line(asked.principal)),
        Text(_end(view, now)),
    ]


def _end(view: EnvironmentView, now: datetime) -> str:
    if view.row.state.status.is_over:
        return ""
    end = view.lease.expires_at if view.lease else view.row.state.expires_at
    if end is None:
        return ""
    return f"in {ago(end - now)}" if end > now else "now"
