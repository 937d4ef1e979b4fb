"""What an engine sees of the workloads in a namespace, and the pure reading of it: ready, waiting, or hopeless."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from conductor.domain.stack import Condition, Dependency, Restart, Service, Stack
from conductor.domain.verdict import Fault, Reason


class Phase(StrEnum):
    """The life of a container, as far as anyone outside cares."""

    PENDING = "pending"
    RUNNING = "running"
    ENDED = "ended"
    SLEEPING = "sleeping"


class Health(StrEnum):
    """What the health check says; NONE where the service has none."""

    NONE = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkloadState:
    """One workload at one moment.

    `reason` is set by the engine when it knows why something is wrong (image cannot be pulled, out of memory, evicted, command not
    found); `message` is the engine's own text. `exit_code` belongs to the last ending, also while a restarted container runs.
    """

    name: str
    phase: Phase
    health: Health = Health.NONE
    exit_code: int | None = None
    reason: Reason | None = None
    message: str = ""
    fault: Fault | None = None
    restarts: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None


States = Mapping[str, WorkloadState]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """Every service is as far as its file asks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Not yet. `on` maps each service that is not ready to what it waits for, in words."""

    on: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Hopeless:
    """It will never be: waiting longer changes nothing."""

    service: str
    reason: Reason
    fault: Fault
    message: str
    remedy: str


CRASHES_BEFORE_GIVING_UP = 3
"""A service that restarts by itself is given up after so many failed starts."""


def is_met(condition: Condition, state: WorkloadState | None) -> bool:
    """Tell whether a dependency is so far, with Compose's meaning of its condition."""
    if state is None:
        return False
    match condition:
        case Condition.STARTED:
            return state.phase in (Phase.RUNNING, Phase.ENDED)
        case Condition.HEALTHY:
            return state.phase is Phase.RUNNING and state.health is Health.HEALTHY
        case Condition.COMPLETED:
            return state.phase is Phase.ENDED and state.exit_code == 0


def startable(service: Service, states: States) -> bool:
    """Tell whether all that this service depends on is so far."""
    return all(
        is_met(dependency.condition, states.get(dependency.service)) for dependency in service.depends_on
    )


def readiness(stack: Stack, states: States) -> Ready | Waiting | Hopeless:
    """Read the states of a stack: the same on every engine.

    A service with a health check is ready when healthy; one without, when it runs or has ended well. What others await to complete
    must have completed.
    """
    awaited = {
        d.service: d for s in stack.services for d in s.depends_on if d.condition is Condition.COMPLETED
    }
    waiting: dict[str, str] = {}
    for service in stack.services:
        state = states.get(service.name)
        if state is not None and (verdict := _hopeless(service, state, awaited.get(service.name))):
            return verdict
        if why := _waits_for(service, states, awaited=service.name in awaited):
            waiting[service.name] = why
    return Waiting(on=waiting) if waiting else Ready()


def _waits_for(service: Service, states: States, *, awaited: bool) -> str:
    state = states.get(service.name)
    if state is None:
        unmet = [d for d in service.depends_on if not is_met(d.condition, states.get(d.service))]
        return f"{unmet[0].service} ({unmet[0].condition})" if unmet else "its start"
    if state.phase is Phase.PENDING:
        return state.message or "its container"
    if state.phase is Phase.SLEEPING:
        return "being woken"
    if awaited:
        return "" if is_met(Condition.COMPLETED, state) else "its end"
    if state.phase is Phase.RUNNING and state.health in (Health.STARTING, Health.UNHEALTHY):
        return "its health check"
    return ""


def _hopeless(service: Service, state: WorkloadState, awaited: Dependency | None) -> Hopeless | None:
    if state.reason in _NEVER_BY_ITSELF:
        return _give_up(service, state.reason, state.fault, state.message)
    if state.health is Health.UNHEALTHY:
        text = (
            f"the health check of {service.name} failed {_retries(service)} times in a row: {state.message}"
        )
        return _give_up(service, Reason.UNHEALTHY, None, text.rstrip(": "))
    ended_badly = state.exit_code not in (None, 0)
    if state.phase is Phase.ENDED and ended_badly:
        reason = state.reason or Reason.ERROR
        return _give_up(service, reason, state.fault, _ending(service, state))
    if (
        state.phase is Phase.ENDED
        and service.healthcheck
        and not service.healthcheck_disabled
        and awaited is None
    ):
        return _give_up(
            service, Reason.ERROR, None, f"{service.name} exited with 0 before it was ever healthy"
        )
    restarts = service.restart in (Restart.ALWAYS, Restart.UNLESS_STOPPED, Restart.ON_FAILURE)
    if restarts and state.restarts >= CRASHES_BEFORE_GIVING_UP and ended_badly:
        return _give_up(
            service, Reason.CRASHED, state.fault, f"{_ending(service, state)} {state.restarts + 1} times"
        )
    return None


def _retries(service: Service) -> int:
    return service.healthcheck.retries if service.healthcheck else 0


def _ending(service: Service, state: WorkloadState) -> str:
    return f"{service.name} exited with {state.exit_code}" + (f" ({state.message})" if state.message else "")


_NEVER_BY_ITSELF = frozenset({
    Reason.IMAGE_PULL, Reason.COMMAND_NOT_FOUND, Reason.EVICTED, Reason.GONE, Reason.QUOTA, Reason.UNSCHEDULABLE,
    Reason.PORT_IN_USE, Reason.DISK_FULL, Reason.SECRET_MISSING, Reason.CONFIGURATION,
})  # fmt: skip

_PLATFORM = frozenset({
    Reason.EVICTED, Reason.GONE, Reason.QUOTA, Reason.UNSCHEDULABLE, Reason.PORT_IN_USE, Reason.DISK_FULL,
})  # fmt: skip

REMEDIES: Mapping[Reason, str] = {
    Reason.IMAGE_PULL: "Check the image's name and tag, and that the engine may pull it.",
    Reason.COMMAND_NOT_FOUND: "The image has no such program: check command and entrypoint.",
    Reason.CRASHED: "Read the service's log; its last lines say why it stops.",
    Reason.ERROR: "Read the service's log; its last lines say why it stopped.",
    Reason.UNHEALTHY: "Run the health check in the container (`conductor stacks exec`) and read the service's log.",
    Reason.NOT_READY: "Give it a health check that it can pass, or a longer stack.ready_timeout.",
    Reason.OOM_KILLED: "Raise its memory limit (deploy.resources.limits.memory), or use less.",
    Reason.EVICTED: "The node ran out of something; try again, or ask the platform's owner.",
    Reason.GONE: "Somebody or something removed it from the engine; run again.",
    Reason.QUOTA: "The namespace's quota is smaller than what the stack asks for.",
    Reason.UNSCHEDULABLE: "No node has room for it: ask for less, or ask the platform's owner.",
    Reason.PORT_IN_USE: "Choose another host port, or stop what holds it.",
    Reason.DISK_FULL: "Free disk space on the engine's machine (`conductor stacks list`, then delete).",
    Reason.SECRET_MISSING: "Set the secret for this environment.",
}


def _give_up(service: Service, reason: Reason, fault: Fault | None, message: str) -> Hopeless:
    whose = fault or (Fault.PLATFORM if reason in _PLATFORM else Fault.REPOSITORY)
    return Hopeless(
        service=service.name,
        reason=reason,
        fault=whose,
        message=message,
        remedy=REMEDIES.get(reason, "Read its log."),
    )
