"""What happened in a run, a line for each event that matters to who waits for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from conductor.domain.event import Event, Kind
from conductor.domain.masking import Masker
from conductor.mcp.fitting import line

_LONGEST = 200
_OWN_EVENTS = frozenset({"start-run", "make-image", "start-tests", "await-tests", "finish-run"})
"""Steps whose doings have events of their own."""
_mask = Masker()


def said(event: Event) -> str:
    """Say it on one line; empty where it is only book-keeping."""
    say = _SAYINGS.get(event.kind)
    text = say(event) if say else ""
    return line(_mask(f"{event.at:%H:%M:%S} {text}"), _LONGEST) if text else ""


def _step(event: Event) -> str:
    error = event.data.get("error")
    if event.subject in _OWN_EVENTS and not error:
        return ""
    return f"{event.subject}: {f'failed: {error}' if error else 'done'}"


def _build(event: Event) -> str:
    error = event.data.get("error")
    how = f"failed: {error}" if error else "there" if event.data.get("cached") else "built"
    return f"image {event.subject}: {how}"


def _service(event: Event) -> str:
    data = event.data
    words = (data.get("phase"), data.get("health"), data.get("reason"), data.get("message"))
    shown = ", ".join(str(word) for word in words if word and word != "none")
    return f"service {event.subject}: {shown}"


def _suite(event: Event) -> str:
    counts = ", ".join(
        f"{event.data[name]} {name}"
        for name in ("passed", "failed", "errors", "skipped")
        if event.data.get(name)
    )
    return f"tests {event.subject}: {event.data.get('verdict', 'ended')}" + (f" ({counts})" if counts else "")


def _ended(event: Event) -> str:
    again = ", and it is tried once more" if event.data.get("again") else ""
    return f"verdict: {event.data.get('verdict')}{again}"


_SAYINGS: Mapping[Kind, Callable[[Event], str]] = {
    Kind.RUN_STARTED: lambda event: f"attempt {event.data.get('attempt', 1)} started",
    Kind.RUN_RESUMED: lambda _: "resumed where it was",
    Kind.RUN_ENDED: _ended,
    Kind.STEP_ENDED: _step,
    Kind.BUILD_STARTED: lambda event: f"image {event.subject}: building",
    Kind.BUILD_ENDED: _build,
    Kind.SERVICE_CHANGED: _service,
    Kind.SUITE_STARTED: lambda event: f"tests {event.subject}: started",
    Kind.SUITE_ENDED: _suite,
    Kind.ENVIRONMENT_CHANGED: lambda event: f"{event.data.get('status', '')} {event.data.get('message', '')}",
    Kind.NOTE: lambda event: str(event.data.get("text", "")),
}
