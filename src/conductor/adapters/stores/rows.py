"""Rows and values of the domain, each from the other; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from conductor.domain.event import Event, Kind
from conductor.domain.results import SuiteResult
from conductor.domain.run import Run, Status
from conductor.ports.store import RunRow


def run_values(run: Run) -> dict[str, Any]:
    """Tell what is known of a run when it is accepted."""
    return {
        "id": run.id,
        "attempt": run.attempt,
        "repository": run.repository,
        "branch": run.source.branch or "",
        "commit": run.source.commit or "",
        "principal": run.principal,
        "status": Status.QUEUED,
        "requested_at": run.requested_at,
        "run": run,
    }


def run_row(row: Row[Any]) -> RunRow:
    """Read a row of `runs`."""
    return RunRow(
        run=row.run,
        status=Status(row.status),
        outcome=row.outcome,
        started_at=row.started_at,
        ended_at=row.ended_at,
        executor=row.executor,
    )


def event(row: Row[Any]) -> Event:
    """Read a row of `events`."""
    return Event(
        run=row.run,
        key=row.key,
        at=row.at,
        kind=Kind(row.kind),
        subject=row.subject,
        data=row.data,
        seq=row.seq,
    )


def suite_values(run: Run, result: SuiteResult) -> dict[str, Any]:
    """Take a result without its cases."""
    key = {"run": run.id, "attempt": run.attempt, "suite": result.suite}
    return {**key, "verdict": result.outcome.verdict, "result": replace(result, cases=())}


def case_values(run: Run, result: SuiteResult) -> list[dict[str, Any]]:
    """Return the cases of a result, in their order."""
    key = {"run": run.id, "attempt": run.attempt, "suite": result.suite}
    return [
        {**key, "position": position, "name": one.name, "status": one.status, "case": one}
        for position, one in enumerate(result.cases)
    ]


def suite_result(row: Row[Any], cases: Iterable[Row[Any]]) -> SuiteResult:
    """Read a row of `suites`, with those of `cases` that belong to it."""
    result: SuiteResult = row.result
    return replace(result, cases=tuple(one.case for one in cases if one.suite == row.suite))
