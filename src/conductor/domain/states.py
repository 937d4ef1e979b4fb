"""What an engine sees of the workloads in a namespace, and the pure reading of it: ready, waiting, or hopeless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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
"""A service that restarts by itself is given up after so many failed starts..."""
GRACE_FOR_RESTARTS = timedelta(seconds=15)
"""... of which the last came so long after all others were started: what it needs may have been on its way until then."""


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


def startable(service: Service, states: States, *, stack: Stack | None = None) -> bool:
    """Tell whether all that this service depends on is so far.

    With `stack`, what will never run does not count, as in Compose: a service scaled to nought, or an optional one that is not there.
    Nor does an optional one that has failed, goes on crashing, or could not be started: what is `required: false` is waited for, and gone
    on without. (A stack that is raised ends with one that could not be started, as `docker-compose up` does: `readiness`.)
    """
    return not any(
        stack is None or not _is_done_without(dependency, states, stack)
        for dependency in service.depends_on
        if not is_met(dependency.condition, states.get(dependency.service))
    )


def _is_done_without(dependency: Dependency, states: States, stack: Stack) -> bool:
    """Tell whether a dependency that is not met holds nobody up: it will never run, or it is optional and has failed."""
    if not _will_run(dependency, stack):
        return True
    state = states.get(dependency.service)
    if dependency.required or state is None:
        return False
    service = stack.service(dependency.service)
    return _failed(service, state) or _could_not_start(state) or _is_given_up(service, states)


def _failed(service: Service, state: WorkloadState) -> bool:
    """Tell whether a service has ended for good, or is sick: for whoever waits for more, it has failed."""
    ended = state.phase is Phase.ENDED and state.exit_code is not None
    return state.health is Health.UNHEALTHY or (ended and not _crashes(service, state))


def _could_not_start(state: WorkloadState) -> bool:
    """Tell whether it never was there to end: it could not be started, or a command after its start failed."""
    return state.reason is Reason.ERROR and state.exit_code is None


def _will_run(dependency: Dependency, stack: Stack) -> bool:
    found = next((service for service in stack.services if service.name == dependency.service), None)
    return found.replicas > 0 if found else dependency.required


def may_fail(service: str, stack: Stack) -> bool:
    """Tell whether the file lets a service fail: it is depended on, and nobody requires it."""
    wishes = [d for other in stack.services for d in other.depends_on if d.service == service]
    return bool(wishes) and not any(wish.required for wish in wishes)


def readiness(stack: Stack, states: States) -> Ready | Waiting | Hopeless:
    """Read the states of a stack: the same on every engine.

    A service with a health check is ready when healthy; one without, when it runs or has ended well. What others await to complete
    must have completed. One that restarts by itself is given up only when it goes on crashing with all others there. One that is only
    depended on with `required: false` may fail.
    """
    services = [service for service in stack.services if service.replicas > 0]
    for service in services:
        state = states.get(service.name)
        if state is None or _is_done_with(service, state, stack):
            continue
        if never := _hopeless(service, state, stack):
            return never
    waiting = {s.name: why for s in services if (why := _waits_for(s, states, stack))}
    crashing = [s for s in services if s.name in waiting and (t := states.get(s.name)) and _crashes(s, t)]
    if not _on_their_way(waiting, crashing, states, stack):
        for service in crashing:
            if never := _given_up(service, states):
                return never
    return Waiting(on=waiting) if waiting else Ready()


def _on_their_way(
    waiting: Mapping[str, str], crashing: Sequence[Service], states: States, stack: Stack
) -> bool:
    """Tell whether something that a crashing service may need is still to come: neither crashing itself, nor waiting for others."""
    others = [stack.service(name) for name in waiting.keys() - {service.name for service in crashing}]
    return any(states.get(s.name) or startable(s, states, stack=stack) for s in others)


def _waits_for(service: Service, states: States, stack: Stack) -> str:
    state = states.get(service.name)
    if state is None:
        open_ones = (d for d in service.depends_on if not is_met(d.condition, states.get(d.service)))
        unmet = [d for d in open_ones if not _is_done_without(d, states, stack)]
        return f"{unmet[0].service} ({unmet[0].condition})" if unmet else "its start"
    if _is_done_with(service, state, stack):
        return ""
    if state.phase is Phase.PENDING:
        return state.message or "its container"
    if state.phase is Phase.SLEEPING:
        return "being woken"
    if _crashes(service, state):
        return "its restart"
    return _is_yet_to(service, state, stack)


def _is_yet_to(service: Service, state: WorkloadState, stack: Stack) -> str:
    """Say what a service that runs, or has ended, has yet to do."""
    if _awaited(service, stack, Condition.COMPLETED):
        return "" if is_met(Condition.COMPLETED, state) else "its end"
    if state.phase is Phase.RUNNING and state.health is not Health.HEALTHY and _is_checked(service, state):
        return "its health check"
    return ""


def _is_checked(service: Service, state: WorkloadState) -> bool:
    """Tell whether it has a health check, its file's or its image's."""
    return state.health is not Health.NONE or _has_check(service)


def _has_check(service: Service) -> bool:
    return service.healthcheck is not None and not service.healthcheck_disabled


def _awaited(service: Service, stack: Stack, condition: Condition) -> str:
    """Name the first service that waits for this one to be so far; empty where none does."""
    return next(
        (
            other.name
            for other in stack.services
            for d in other.depends_on
            if d.service == service.name and d.condition is condition and d.required
        ),
        "",
    )


def _is_done_with(service: Service, state: WorkloadState, stack: Stack) -> bool:
    """Tell whether it has failed, and may."""
    return may_fail(service.name, stack) and (_failed(service, state) or _crashes(service, state))


def _crashes(service: Service, state: WorkloadState) -> bool:
    """Tell whether it has ended badly and will be started again by the engine."""
    if state.phase is Phase.RUNNING or state.exit_code in (None, 0):
        return False
    if service.restart is Restart.ON_FAILURE and service.restart_attempts is not None:
        return state.restarts < service.restart_attempts
    return service.restart is not Restart.NO


def _hopeless(service: Service, state: WorkloadState, stack: Stack) -> Hopeless | None:
    if _could_not_start(state) or state.reason in _NEVER_BY_ITSELF:
        return _give_up(
            service,
            state.reason or Reason.ERROR,
            state.fault,
            state.message or f"{service.name}: {state.reason}",
        )
    if state.phase is Phase.ENDED:
        return None if _crashes(service, state) else _ended_for_good(service, state, stack)
    if state.phase is not Phase.RUNNING:
        return None
    waits = _awaited(service, stack, Condition.HEALTHY)
    if state.health is Health.UNHEALTHY and (waits or not _awaited(service, stack, Condition.COMPLETED)):
        text = f"the health check of {service.name} failed {_times(service)}in a row: {state.message}"
        return _give_up(service, Reason.UNHEALTHY, None, text.rstrip(": "))
    if waits and not _is_checked(service, state):
        text = f"{waits} waits for {service.name} to be healthy, but {service.name} has no health check"
        return _give_up(service, Reason.NOT_READY, None, text)
    return None


def _ended_for_good(service: Service, state: WorkloadState, stack: Stack) -> Hopeless | None:
    if state.exit_code is None:
        text = state.message or f"{service.name} ended, and left no exit code"
        return _give_up(service, state.reason or Reason.GONE, state.fault, text)
    if state.exit_code != 0:
        return _give_up(service, state.reason or Reason.ERROR, state.fault, _ending(service, state))
    to_be_healthy = _has_check(service) or _awaited(service, stack, Condition.HEALTHY)
    if to_be_healthy and not _awaited(service, stack, Condition.COMPLETED) and not _restarts_always(service):
        text = f"{service.name} exited with 0, but was to become healthy"
        return _give_up(service, Reason.ERROR, None, text)
    return None


def _restarts_always(service: Service) -> bool:
    return service.restart in (Restart.ALWAYS, Restart.UNLESS_STOPPED)


def _is_given_up(service: Service, states: States) -> bool:
    """Tell whether it has crashed too often since all others were there."""
    state = states[service.name]
    too_often = state.restarts + 1 >= CRASHES_BEFORE_GIVING_UP
    return too_often and _crashes(service, state) and not _others_are_new(service, state, states)


def _given_up(service: Service, states: States) -> Hopeless | None:
    if not _is_given_up(service, states):
        return None
    state = states[service.name]
    reason = state.reason if state.reason is Reason.OOM_KILLED else Reason.CRASHED
    return _give_up(service, reason, state.fault, f"{_ending(service, state)} {state.restarts + 1} times")


def _others_are_new(service: Service, state: WorkloadState, states: States) -> bool:
    others = [s.started_at for name, s in states.items() if name != service.name and s.started_at]
    if state.ended_at is None or not others:
        return False
    return state.ended_at - max(others) < GRACE_FOR_RESTARTS


def _times(service: Service) -> str:
    return f"{service.healthcheck.retries} times " if service.healthcheck else ""


def _ending(service: Service, state: WorkloadState) -> str:
    return f"{service.name} exited with {state.exit_code}" + (f" ({state.message})" if state.message else "")


_NEVER_BY_ITSELF = frozenset({
    Reason.IMAGE_PULL, Reason.COMMAND_NOT_FOUND, Reason.EVICTED, Reason.GONE, Reason.QUOTA, Reason.UNSCHEDULABLE,
    Reason.PORT_IN_USE, Reason.DISK_FULL, Reason.SECRET_MISSING, Reason.CONFIGURATION, Reason.VOLUME,
})  # fmt: skip

_PLATFORM = frozenset({
    Reason.EVICTED, Reason.GONE, Reason.QUOTA, Reason.UNSCHEDULABLE, Reason.DISK_FULL, Reason.VOLUME, Reason.FORBIDDEN,
    Reason.SECRET_SYNC,
    Reason.ENGINE_UNREACHABLE, Reason.INTERNAL,
})  # fmt: skip


def fault_of(reason: Reason) -> Fault:
    """Say who can mend it, where whoever saw it does not know better."""
    return Fault.PLATFORM if reason in _PLATFORM else Fault.REPOSITORY


REMEDIES: Mapping[Reason, str] = {
    Reason.TESTS_FAILED: "Read the failures and what the services wrote around them; then mend code or test.",
    Reason.DEADLINE_EXCEEDED: "Find what hangs in the tests' log, or raise tests.timeout.",
    Reason.NO_TESTS: "Check which tests the command selects.",
    Reason.CONFIGURATION: "Correct the file at the line that is named; `conductor check` reads it again.",
    Reason.REFUSED: "Take it out, or do it in another way: what Conductor does not do is a closed list.",
    Reason.CLONE_FAILED: "Check that the repository and the ref exist, and that git may read them.",
    Reason.BUILD_FAILED: "Read the build's last lines; correct the Dockerfile or what it copies.",
    Reason.VULNERABLE: "Update what the findings name; the report says which versions mend them.",
    Reason.SCAN_FAILED: "Look at the registry's scanner (`conductor doctor`), then run the tests once more: `conductor run --from tests`.",
    Reason.IMAGE_PULL: "Check the image's name and tag, and that the engine may pull it.",
    Reason.COMMAND_NOT_FOUND: "The image has no such program: check command and entrypoint.",
    Reason.CRASHED: "Read the service's log; its last lines say why it stops.",
    Reason.ERROR: "Read the service's log; its last lines say why it stopped.",
    Reason.UNHEALTHY: "Run the health check in the container (`conductor stacks exec`) and read the service's log.",
    Reason.NOT_READY: "Give it a health check that it can pass, or a longer stack.ready_timeout.",
    Reason.DEPENDENCY_FAILED: "Read the log of the service that it depends on.",
    Reason.OOM_KILLED: "Raise its memory limit (deploy.resources.limits.memory), or use less.",
    Reason.EVICTED: "The node ran out of something; try again, or ask the platform's owner.",
    Reason.GONE: "Somebody or something removed it from the engine; run again.",
    Reason.QUOTA: "The namespace's quota is smaller than what the stack asks for.",
    Reason.UNSCHEDULABLE: "No node has room for it: ask for less, or ask the platform's owner.",
    Reason.VOLUME: "Look at the cluster's storage classes: `conductor doctor --engine kubernetes`.",
    Reason.FORBIDDEN: "Give Conductor's account the right that is named; `conductor doctor --engine kubernetes` lists them.",
    Reason.PORT_IN_USE: "Choose another host port, or stop what holds it.",
    Reason.DISK_FULL: "Free disk space on the engine's machine (`conductor stacks list`, then delete).",
    Reason.SECRET_MISSING: "Set the secret for this environment.",
    Reason.SECRET_SYNC: "Look at the workflow's run on GitHub, and whether a runner is there that takes it.",
    Reason.ENGINE_UNREACHABLE: "Start Docker or Podman; `conductor doctor` says what it finds.",
    Reason.CANCELLED: "Run again when you want the verdict.",
    Reason.SUPERSEDED: "Look at the newer run of the same branch.",
    Reason.INTERNAL: "This is a mistake in Conductor: report it with the run's log.",
}


def _give_up(service: Service, reason: Reason, fault: Fault | None, message: str) -> Hopeless:
    return Hopeless(
        service=service.name,
        reason=reason,
        fault=fault or fault_of(reason),
        message=message,
        remedy=REMEDIES[reason],
    )
