"""From what the engine says of a container to the state of a workload: pure, one table of meanings.

Podman knows `stopped` and `configured` beside Docker's words, says exit code 0 of a container that runs again, and never says that
memory ran out (tried on 4.3.1): the last exit code and the kernel's word on memory come from beside, in `Beside`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from conductor.adapters.docker.connection.client import is_disk_full
from conductor.adapters.docker.containers.healthcheck import LABEL_HEALTHCHECK
from conductor.adapters.docker.containers.hooks import LABEL_POST_START
from conductor.adapters.docker.marks import Failure, Note
from conductor.domain.states import Health, Phase, WorkloadState
from conductor.domain.verdict import Fault, Reason

Inspection = Mapping[str, Any]
"""The answer to `GET /containers/{id}/json`."""

KILLED = 137
COMMAND_CODES = (126, 127)
"""What shells and engines answer for a program that is there but cannot run, and for one that is not there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """What is known of a container, but not from its inspection."""

    health: Health = Health.STARTING
    health_output: str = ""
    last_exit: int | None = None
    """How it ended the last time, while it runs again."""
    out_of_memory: bool | None = None
    """What the kernel says; None where it could not be asked."""


def workload_state(
    workload: str, containers: Sequence[Inspection], beside: Mapping[str, Beside], note: Note
) -> WorkloadState:
    """Read one workload: the state of its container, or of the one of its replicas that is worst off."""
    if note.failure is not None:
        return _failed(workload, note.failure)
    if not containers:
        return _without_container(workload, note)
    states = [_container_state(workload, c, beside.get(c["Id"], Beside()), note) for c in containers]
    return min(states, key=_well_being)


def start_failure(text: str, *, status: int = 500) -> Failure:
    """Read why an engine refused to create or start a container."""
    lowered = text.lower()
    if is_disk_full(text):
        return Failure(reason=Reason.DISK_FULL, fault=Fault.PLATFORM, message=text)
    if any(sign in lowered for sign in _PORT_SIGNS):
        return Failure(reason=Reason.PORT_IN_USE, fault=Fault.REPOSITORY, message=_port_message(text))
    if any(sign in lowered for sign in _COMMAND_SIGNS) or (
        "exec:" in lowered and "permission denied" in lowered
    ):
        return Failure(
            reason=Reason.COMMAND_NOT_FOUND, fault=Fault.REPOSITORY, message=_command_message(text)
        )
    theirs = status in (400, 409) or any(sign in lowered for sign in _CONFIGURATION_SIGNS)
    if theirs:
        return Failure(reason=Reason.CONFIGURATION, fault=Fault.REPOSITORY, message=text)
    return Failure(reason=Reason.ERROR, fault=Fault.PLATFORM, message=text)


def pull_failure(image: str, text: str) -> Failure:
    """Read why an image could not be pulled: a registry that says no is the repository's fault, one that does not answer is not."""
    lowered = text.lower()
    if is_disk_full(text):
        return Failure(reason=Reason.DISK_FULL, fault=Fault.PLATFORM, message=text)
    answered = any(sign in lowered for sign in _REGISTRY_SAID_NO)
    unanswered = any(sign in lowered for sign in _REGISTRY_SILENT)
    fault = Fault.REPOSITORY if answered and not unanswered else Fault.PLATFORM
    return Failure(reason=Reason.IMAGE_PULL, fault=fault, message=f"{image} cannot be pulled: {text}")


def _end(state: Mapping[str, Any]) -> datetime | None:
    """Return when it ended; Podman can note the start of a very short process after its end."""
    started, ended = moment(state.get("StartedAt")), moment(state.get("FinishedAt"))
    return max(started, ended) if started and ended else ended


def moment(text: str | None) -> datetime | None:
    """Read the engine's time (RFC 3339 with up to nine digits); None for "never", which it writes as the year 1.

    >>> moment("2026-11-23T13:18:08.33871204Z").isoformat()
    '2026-11-23T13:18:08.338712+00:00'
    """
    if not text or text.startswith("0001-"):
        return None
    shortened = re.sub(r"(\.\d{1,6})\d*", r"\1", text.replace("Z", "+00:00"))
    found = datetime.fromisoformat(shortened)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_PORT_SIGNS = (
    "address already in use",
    "port is already allocated",
    "ports are not available",
    "failed to bind host port",
)
_COMMAND_SIGNS = (
    "invoked a command that was not found", "invoke a command that was not found", "executable file not found",
    "no such file or directory: unknown", "exec format error",
)  # fmt: skip
_CONFIGURATION_SIGNS = (
    "invalid",
    "not supported",
    "unknown capability",
    "container-init binary",
    "no matching entries",
    "unable to find user",
)
_REGISTRY_SAID_NO = (
    "manifest unknown", "not found", "denied", "unauthorized", "authentication required", "name unknown", "does not exist",
    "no such image", "invalid reference", "no matching manifest", "repository name", "no image found in manifest list",
)  # fmt: skip
_REGISTRY_SILENT = (
    "no such host", "connection refused", "i/o timeout", "timeout exceeded", "dial tcp", "network is unreachable", "no route to host",
    "tls handshake", "toomanyrequests", "too many requests", "rate limit", "bad gateway", "service unavailable", "temporary failure",
)  # fmt: skip


def _port_message(text: str) -> str:
    found = re.search(r"(\d+\.\d+\.\d+\.\d+:\d+)", text)
    return f"{found.group(1)} is in use by another program" if found else text


def _command_message(text: str) -> str:
    found = re.search(r'exec:? "([^"]+)"', text) or re.search(r"executable file `([^`]+)`", text)
    return f"{found.group(1)!r} cannot be run in the image" if found else text


def _failed(workload: str, failure: Failure) -> WorkloadState:
    ran = failure.reason is Reason.COMMAND_NOT_FOUND
    return WorkloadState(
        name=workload,
        phase=Phase.ENDED if ran else Phase.PENDING,
        exit_code=COMMAND_CODES[1] if ran else None,
        reason=failure.reason,
        fault=failure.fault,
        message=failure.message,
    )


def _without_container(workload: str, note: Note) -> WorkloadState:
    if not note.created:
        return WorkloadState(name=workload, phase=Phase.PENDING, message="its container")
    return WorkloadState(
        name=workload,
        phase=Phase.ENDED,
        reason=Reason.GONE,
        fault=Fault.PLATFORM,
        message="its container was removed from the engine by somebody else",
    )


def _container_state(workload: str, inspection: Inspection, beside: Beside, note: Note) -> WorkloadState:
    phase = _phase(inspection, note)
    exit_code = _exit_code(inspection, beside, phase)
    reason = _reason(inspection, beside, note, exit_code)
    state = inspection["State"]
    return WorkloadState(
        name=workload,
        phase=phase,
        health=_health(inspection, beside, phase),
        exit_code=exit_code,
        reason=reason,
        message=_message(inspection, beside, reason, phase),
        restarts=int(inspection.get("RestartCount") or 0),
        started_at=moment(state.get("StartedAt")),
        ended_at=_end(state) if phase in (Phase.ENDED, Phase.SLEEPING) else None,
    )


def _phase(inspection: Inspection, note: Note) -> Phase:
    status = inspection["State"]["Status"]
    if is_at_its_hooks(inspection, note):
        return Phase.PENDING
    if status in ("running", "paused", "removing", "stopping"):
        return Phase.RUNNING
    if note.asleep:
        return Phase.SLEEPING
    if status in ("created", "configured", "initialized", "restarting") or will_restart(inspection, note):
        return Phase.PENDING
    return Phase.ENDED


def will_restart(inspection: Inspection, note: Note) -> bool:
    """Tell whether an ended container is about to be started again by the engine."""
    policy = inspection["HostConfig"].get("RestartPolicy") or {}
    if note.stopped or note.asleep or inspection["State"]["Status"] == "running":
        return False
    match policy.get("Name"):
        case "always" | "unless-stopped":
            return True
        case "on-failure":
            most = policy.get("MaximumRetryCount") or 0
            tried = inspection.get("RestartCount") or 0
            return inspection["State"]["ExitCode"] != 0 and (most == 0 or tried < most)
    return False


def is_at_its_hooks(inspection: Inspection, note: Note) -> bool:
    """Tell whether it runs, and what Compose runs in it after its start is not over: only then has it started."""
    labels = inspection["Config"].get("Labels") or {}
    return inspection["State"]["Status"] == "running" and LABEL_POST_START in labels and not note.hooked


def _exit_code(inspection: Inspection, beside: Beside, phase: Phase) -> int | None:
    state = inspection["State"]
    if phase in (Phase.ENDED, Phase.SLEEPING) or (phase is Phase.PENDING and moment(state.get("FinishedAt"))):
        return int(state["ExitCode"])
    return beside.last_exit


def _reason(inspection: Inspection, beside: Beside, note: Note, exit_code: int | None) -> Reason | None:
    if exit_code in (None, 0):
        return None
    if inspection["State"].get("OOMKilled") or beside.out_of_memory:
        return Reason.OOM_KILLED
    limited = bool(inspection["HostConfig"].get("Memory"))
    if beside.out_of_memory is None and exit_code == KILLED and limited and not (note.stopped or note.asleep):
        return Reason.OOM_KILLED
    return Reason.COMMAND_NOT_FOUND if exit_code in COMMAND_CODES else None


def _health(inspection: Inspection, beside: Beside, phase: Phase) -> Health:
    checked = LABEL_HEALTHCHECK in (inspection["Config"].get("Labels") or {})
    return beside.health if checked and phase is Phase.RUNNING else Health.NONE


def _message(inspection: Inspection, beside: Beside, reason: Reason | None, phase: Phase) -> str:
    if reason is Reason.OOM_KILLED:
        limit = int(inspection["HostConfig"].get("Memory") or 0)
        return f"out of memory: the limit is {limit / 2**20:.0f} MiB" if limit else "out of memory"
    if phase is Phase.PENDING and inspection["State"]["Status"] == "running":
        return "its commands after the start"
    if phase is Phase.PENDING:
        return "its restart" if moment(inspection["State"].get("FinishedAt")) else "its start"
    return str(inspection["State"].get("Error") or "") or _check_output(inspection, beside)


def _check_output(inspection: Inspection, beside: Beside) -> str:
    return (
        beside.health_output
        if _health(inspection, beside, Phase.RUNNING) in (Health.STARTING, Health.UNHEALTHY)
        else ""
    )


def _well_being(state: WorkloadState) -> tuple[int, int]:
    """Order states from the worst: failed, pending, unhealthy, starting, running well."""
    bad = state.reason is not None or (state.phase is Phase.ENDED and state.exit_code != 0)
    phases = {Phase.SLEEPING: 1, Phase.PENDING: 2, Phase.RUNNING: 3, Phase.ENDED: 4}
    healths = {Health.UNHEALTHY: 0, Health.STARTING: 1, Health.HEALTHY: 2, Health.NONE: 2}
    return (0 if bad else phases[state.phase], healths[state.health])
