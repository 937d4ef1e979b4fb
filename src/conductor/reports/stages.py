"""The stages of a run as a bar chart in characters: when each began, how long it took, what ran side by side."""

from __future__ import annotations

from dataclasses import dataclass

from conductor.domain.event import StepRecord
from conductor.domain.report import Report
from conductor.reports.words import duration

WIDTH = 32


@dataclass(frozen=True, slots=True)
class Stage:
    """One row: its name, how long it took in words, its bar, and what went wrong."""

    name: str
    took: str
    bar: str
    error: str = ""


def stages(report: Report) -> tuple[Stage, ...]:
    """Draw the steps in the order of their start. A step without an end took until the report's."""
    return tuple(
        Stage(_name(step), duration(_seconds(step, report)), _bar(step, report), step.error)
        for step in sorted(report.steps, key=lambda step: step.started_at)
    )


def _name(step: StepRecord) -> str:
    return f"{step.name} {step.subject}".strip()


def _seconds(step: StepRecord, report: Report) -> float:
    return max(((step.ended_at or report.ended_at) - step.started_at).total_seconds(), 0.0)


def _bar(step: StepRecord, report: Report) -> str:
    whole = max((report.ended_at - report.started_at).total_seconds(), 0.001)
    begin = min(max((step.started_at - report.started_at).total_seconds() / whole, 0.0), 1.0)
    left = min(round(begin * WIDTH), WIDTH - 1)
    length = round(_seconds(step, report) / whole * WIDTH)
    return " " * left + "█" * min(length, WIDTH - left) if length else " " * left + "▏"
