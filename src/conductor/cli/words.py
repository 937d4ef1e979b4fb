"""Words for what an event says: one place for every view, so that no two of them call the same thing by two names."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from conductor.domain.event import Event
from conductor.domain.run import Run
from conductor.reports.readable import on_one_line


class State(StrEnum):
    """How far something is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    """Cut off, because the run ended first."""


def step_name(event: Event) -> str:
    """Return the step that an event is about."""
    return str(event.data.get("step") or event.subject.partition("/")[0])


def build_text(event: Event) -> str:
    """Say how a build ended."""
    if event.data.get("error"):
        return "failed"
    return "unchanged" if event.data.get("cached") else "built"


def service_state(data: Mapping[str, object]) -> State:
    """Tell how far a service is, as far as its state alone says."""
    match data.get("phase"), data.get("health"):
        case "ended", _:
            return (
                State.DONE if data.get("exit_code") in (0, None) and not data.get("reason") else State.FAILED
            )
        case "running", "unhealthy":
            return State.FAILED
        case "running", "starting":
            return State.RUNNING
        case "running", _:
            return State.DONE
        case "sleeping", _:
            return State.WAITING
    return State.FAILED if data.get("reason") else State.RUNNING


def service_text(data: Mapping[str, object]) -> str:
    """Say how a service stands."""
    phase, health = str(data.get("phase") or "pending"), str(data.get("health") or "")
    words = health if phase == "running" and health not in ("", "none") else phase
    words = "awaiting health" if words == "starting" else words
    if phase == "ended" and data.get("exit_code") is not None:
        words = f"exited with {data['exit_code']}"
    if data.get("reason"):
        words = f"{data['reason']}, {words}"
    return f"{words}, restarted {data['restarts']}x" if data.get("restarts") else words


def suite_text(data: Mapping[str, object]) -> str:
    """Say what came out of a suite."""
    counts = [
        f"{data[word]} {word}"
        for word in ("passed", "failed", "errors", "skipped", "quarantined")
        if data.get(word)
    ]
    verdict = str(data.get("verdict") or "")
    unsaid = verdict not in ("passed", "") and not data.get("failed") and not data.get("errors")
    said = [verdict, *counts] if unsaid or not counts else counts
    return ", ".join(word for word in said if word) or "ended"


def verdict_text(data: Mapping[str, object]) -> str:
    """Say how a run ended: the verdict, and in brackets the reason word and what it is about."""
    about = ("reason", "subject_of_outcome") if data.get("reason") else ()
    why = [str(data[name]) for name in about if data.get(name)]
    return f"{data.get('verdict')} ({', '.join(why)})" if why else str(data.get("verdict"))


def source_text(run: Run) -> str:
    """Say which code: the ref, the commit's beginning, the branch, and whether the tree has changes of its own."""
    source = run.source
    parts = [on_one_line(source.ref) if source.ref else "working tree"]
    if source.commit and source.commit != source.ref:
        parts.append(f"@ {source.commit[:7]}")
    if source.branch and source.branch != source.ref:
        parts.append(f"on {on_one_line(source.branch)}")
    if source.dirty:
        parts.append("with changes")
    return " ".join(parts)


def state_text(state: object) -> str:
    """Say how a workload of a standing stack is. While nobody watches it no health check runs, so that `starting` says nothing."""
    names = ("phase", "health", "reason", "exit_code", "restarts")
    known = {name: getattr(state, name, None) for name in names}
    return service_text({**known, "health": None if known["health"] == "starting" else known["health"]})
