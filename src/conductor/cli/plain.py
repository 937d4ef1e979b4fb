"""A run as plain lines: one for each event, with the time since the run was asked for, and the tests' output as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from conductor.cli.colours import log_text
from conductor.cli.words import build_text, service_text, source_text, step_name, suite_text, verdict_text
from conductor.domain.event import Event, Kind
from conductor.domain.report import LogLine
from conductor.domain.run import Run
from conductor.reports.readable import on_one_line
from conductor.reports.words import duration

TOPIC_WIDTH = 9
"""The column of what a line is about: run, step, build, service, suite, tests, verdict."""


def plain_lines(run: Run, item: Event | LogLine) -> Iterator[str]:
    """Yield the lines that one event or one line of the tests makes; none for what is only book-keeping."""
    if isinstance(item, LogLine):
        yield _line(run, item.at, "log", f"{item.workload} | {log_text(item.text)}".rstrip())
        return
    for topic, text in _texts(item):
        yield _line(run, item.at, topic, text)


def heading(run: Run) -> str:
    """Say what is being run: one line."""
    return f"{run.id}: {on_one_line(run.repository)} {source_text(run)}"


def _line(run: Run, at: datetime, topic: str, text: str) -> str:
    since = max((at - run.requested_at).total_seconds(), 0.0)
    return f"{since:8.1f}s  {topic:<{TOPIC_WIDTH}}{text}"


def _texts(event: Event) -> Iterator[tuple[str, str]]:
    say = _SAYINGS.get(event.kind)
    if say is not None:
        yield from ((topic, on_one_line(text)) for topic, text in say(event) if text)


_TOLD_OTHERWISE = frozenset({"start-run", "make-image", "start-tests", "await-tests", "finish-run"})
"""Steps whose doings have events of their own."""


def _took(event: Event) -> str:
    seconds = event.data.get("seconds")
    return f" in {duration(float(seconds))}" if seconds is not None else ""


def _of(event: Event) -> str:
    return f" {event.data['subject']}" if event.data.get("subject") else ""


def _step_ended(event: Event) -> Iterator[tuple[str, str]]:
    error = event.data.get("error")
    if step_name(event) in _TOLD_OTHERWISE and not error:
        return
    how = f"failed{_took(event)}: {error}" if error else f"done{_took(event)}"
    yield "step", f"{step_name(event)}{_of(event)}: {how}"


def _build_ended(event: Event) -> Iterator[tuple[str, str]]:
    error = event.data.get("error")
    yield "build", f"{event.subject}: {build_text(event)}{_took(event)}{f': {error}' if error else ''}"


def _service(event: Event) -> Iterator[tuple[str, str]]:
    message = event.data.get("message")
    yield "service", f"{event.subject}: {service_text(event.data)}{f' ({message})' if message else ''}"


def _ended(event: Event) -> Iterator[tuple[str, str]]:
    yield "verdict", verdict_text(event.data)
    for name in ("message", "remedy"):
        yield from (("", line) for line in str(event.data.get(name) or "").splitlines())
    if event.data.get("again"):
        yield "run", "the platform was at fault: once more, from the beginning"


def _lease(event: Event) -> Iterator[tuple[str, str]]:
    end = event.data.get("expires_at")
    until = f" until {datetime.fromisoformat(str(end)):%Y-%m-%d %H:%M %Z}" if end else ""
    yield "stack", f"{event.data.get('status', 'kept')}{until}"


_SAYINGS: Mapping[Kind, Callable[[Event], Iterator[tuple[str, str]]]] = {
    Kind.RUN_STARTED: lambda event: iter([("run", f"started, attempt {event.data.get('attempt', 1)}")]),
    Kind.RUN_RESUMED: lambda _: iter([("run", "resumed where it was")]),
    Kind.RUN_ENDED: _ended,
    Kind.STEP_ENDED: _step_ended,
    Kind.BUILD_STARTED: lambda event: iter([("build", f"{event.subject}: started")]),
    Kind.BUILD_ENDED: _build_ended,
    Kind.SERVICE_CHANGED: _service,
    Kind.SUITE_STARTED: lambda event: iter([("suite", f"{event.subject}: started")]),
    Kind.SUITE_ENDED: lambda event: iter(
        [("suite", f"{event.subject}: {suite_text(event.data)}{_took(event)}")]
    ),
    Kind.LEASE_CHANGED: _lease,
    Kind.NOTE: lambda event: iter([("note", str(event.data.get("text", "")))]),
}
