"""From what the cluster has of a namespace to the states of its workloads, with Compose's meaning: pure, table-tested.

A service is a Job, a Deployment or a StatefulSet and its pods. What it is doing is read from its pods, since a Job says so seconds
later; what keeps it says why there is no pod. Law: the same objects and the same time give the same states.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from conductor.adapters.kubernetes.api.kinds import Manifest
from conductor.adapters.kubernetes.seeing.health import health, last_failure
from conductor.adapters.kubernetes.seeing.pod_status import (
    Status,
    condition,
    holds,
    is_leaving,
    is_over,
    last_end,
    main_status,
    moment,
    newest,
    state_of,
    was_deleted,
    was_taken_away,
)
from conductor.adapters.kubernetes.seeing.troubles import (
    Trouble,
    is_about,
    used_too_much,
    why_ended,
    why_its_start_failed,
    why_not_created,
    why_not_started,
)
from conductor.domain.names import LABEL_KIND, LABEL_WORKLOAD
from conductor.domain.states import Health, Phase, States, WorkloadState
from conductor.domain.verdict import Fault, Reason

NODE_NOT_READY = "NodeNotReady"
"""The reason of the event by which the cluster gives up the node of a pod."""
NAME = "conductor.dev/service"
"""Annotation of what keeps a service: its name in the compose file, where Kubernetes took another."""
STOPPED = "conductor.dev/stopped"
"""Annotation of what Conductor stopped: no reason is made up for its end."""
ASLEEP = "conductor.dev/asleep"
"""Annotation of what was put to sleep: how many replicas it had."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """What a namespace has of each kind at one moment."""

    keepers: Sequence[Manifest] = ()
    """Jobs, Deployments and StatefulSets."""
    pods: Sequence[Manifest] = ()
    events: Sequence[Manifest] = ()
    claims: Sequence[Manifest] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Workload:
    """One workload as seen: what keeps it, and what is about it."""

    name: str
    container: str
    keeper: Manifest
    pods: Sequence[Manifest]
    events: Sequence[Manifest]
    claims: Mapping[str, Sequence[Manifest]] = field(default_factory=dict)
    now: datetime

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.keeper["metadata"].get("annotations") or {}

    @property
    def is_stopped(self) -> bool:
        return STOPPED in self.annotations

    @property
    def is_job(self) -> bool:
        return "template" in self.keeper["spec"] and "replicas" not in self.keeper["spec"]

    def about(self, thing: Manifest) -> list[Manifest]:
        return [event for event in self.events if is_about(event, thing)]


def states(snapshot: Snapshot, now: datetime) -> States:
    """Read the state of every workload of a namespace, by the name that its file gives it."""
    events = sorted(snapshot.events, key=_when)
    claims = {c["metadata"]["name"]: [e for e in events if is_about(e, c)] for c in snapshot.claims}
    found: dict[str, WorkloadState] = {}
    for keeper in snapshot.keepers:
        label = _labels(keeper).get(LABEL_WORKLOAD)
        if not label:
            continue
        name = name_of(keeper)
        pods = [pod for pod in snapshot.pods if _labels(pod).get(LABEL_WORKLOAD) == label]
        workload = _Workload(
            name=name, container=label, keeper=keeper, pods=pods, events=events, claims=claims, now=now
        )
        found[name] = _state(workload)
    return dict(sorted(found.items()))


def name_of(keeper: Manifest) -> str:
    """Return the name that a workload has in its file."""
    return str(
        (keeper["metadata"].get("annotations") or {}).get(NAME) or _labels(keeper).get(LABEL_WORKLOAD) or ""
    )


def is_finished(keeper: Manifest) -> bool:
    """Tell whether a Job has come to its end."""
    return holds(keeper, "Complete") or holds(keeper, "Failed")


def is_asleep(keeper: Manifest) -> bool:
    """Tell whether Conductor put it to sleep."""
    return ASLEEP in (keeper["metadata"].get("annotations") or {})


def wanted_pods(keeper: Manifest) -> int:
    """Return how many pods it is to have at a time."""
    spec = keeper["spec"]
    return int(spec.get("replicas", spec.get("parallelism", 1)))


def _state(seen: _Workload) -> WorkloadState:
    if is_asleep(seen.keeper) and not is_finished(seen.keeper):
        return WorkloadState(name=seen.name, phase=Phase.SLEEPING)
    pods = newest(seen.pods, wanted_pods(seen.keeper)) if seen.pods else []
    if not pods:
        return _without_pods(seen)
    return min((_pod_state(seen, pod) for pod in pods), key=_well_being)


def _without_pods(seen: _Workload) -> WorkloadState:
    if seen.is_stopped:
        return WorkloadState(name=seen.name, phase=Phase.ENDED)
    if holds(seen.keeper, "Complete"):
        return WorkloadState(name=seen.name, phase=Phase.ENDED, exit_code=0)
    if holds(seen.keeper, "Failed"):
        return _failed_without_pods(seen)
    trouble = why_not_created(_creation_failures(seen)) or Trouble(message="its pod")
    return _pending(seen, trouble)


def _failed_without_pods(seen: _Workload) -> WorkloadState:
    failed = condition(seen.keeper, "Failed")
    crashed = failed.get("reason") == "BackoffLimitExceeded" and int(
        seen.keeper["spec"].get("backoffLimit") or 0
    )
    return WorkloadState(
        name=seen.name,
        phase=Phase.ENDED,
        reason=Reason.CRASHED if crashed else Reason.GONE,
        fault=Fault.REPOSITORY if crashed else Fault.PLATFORM,
        message=str(failed.get("message") or "its pod is gone from the cluster"),
    )


def _creation_failures(seen: _Workload) -> Iterator[str]:
    """Yield what was said when a pod could not be made, the last first."""
    failure = condition(seen.keeper, "ReplicaFailure")
    if failure.get("status") == "True":
        yield str(failure.get("message") or "")
    name = seen.keeper["metadata"]["name"]
    for event in reversed(seen.events):
        about = event.get("involvedObject") or {}
        its_set = about.get("kind") == "ReplicaSet" and str(about.get("name")).rpartition("-")[0] == name
        if event.get("reason") == "FailedCreate" and (its_set or is_about(event, seen.keeper)):
            yield str(event.get("message") or "")


def _pod_state(seen: _Workload, pod: Manifest) -> WorkloadState:
    status = main_status(pod, seen.container)
    if not seen.is_stopped and (trouble := why_its_start_failed(seen.about(pod), seen.container)):
        return _pending(seen, trouble)
    if state_of(status, "running") is not None and not (is_over(pod) and was_taken_away(pod)):
        return _running(seen, pod, status)
    if is_over(pod):
        return _ended(seen, pod, status)
    if state_of(status, "terminated") is not None and not _starts_again(pod, status):
        return _ended(seen, pod, status)
    return _not_running(seen, pod, status)


def _running(seen: _Workload, pod: Manifest, status: Status) -> WorkloadState:
    about = seen.about(pod)
    running: Mapping[str, Any] = state_of(status, "running") or {}
    if has_lost_node(pod, about):
        return _gone(seen, "its node does not answer", moment(running.get("startedAt")))
    found = health(pod, seen.container, status, about, seen.now)
    ended = last_end(status) or {}
    return WorkloadState(
        name=seen.name,
        phase=Phase.RUNNING,
        health=found,
        exit_code=ended.get("exitCode"),
        reason=why_ended(pod, seen.container, ended).reason if ended.get("exitCode") else None,
        message=last_failure(about, seen.container) if found in (Health.STARTING, Health.UNHEALTHY) else "",
        restarts=_restarts(seen, status),
        started_at=moment(running.get("startedAt")),
    )


def _not_running(seen: _Workload, pod: Manifest, status: Status) -> WorkloadState:
    """Read a pod that is on its way: to its first start, or to the next."""
    ended = last_end(status)
    if seen.is_stopped and is_leaving(pod):
        return _ended(seen, pod, status)
    if ended is None:
        statuses = [*((pod.get("status") or {}).get("initContainerStatuses") or ()), status]
        return _pending(seen, why_not_started(pod, statuses, seen.about(pod), seen.claims, seen.now))
    why = why_ended(pod, seen.container, ended)
    return WorkloadState(
        name=seen.name,
        phase=Phase.PENDING,
        exit_code=ended.get("exitCode"),
        reason=None if ended.get("exitCode") == 0 else why.reason,
        fault=why.fault,
        message=why.message or "its restart",
        restarts=_restarts(seen, status),
        started_at=moment(ended.get("startedAt")),
        ended_at=moment(ended.get("finishedAt")),
    )


def _ended(seen: _Workload, pod: Manifest, status: Status) -> WorkloadState:
    taken = "" if seen.is_stopped else was_taken_away(pod)
    if taken and _is_made_again(seen, pod):
        return _pending(seen, Trouble(message=f"another pod, since this one was taken away: {taken}"))
    ended = last_end(status) or {}
    why = _why_over(seen, pod, ended, taken)
    again = bool(ended.get("exitCode")) and not taken and not seen.is_stopped and _tries_again(seen)
    started, finished = moment(ended.get("startedAt")), moment(ended.get("finishedAt"))
    return WorkloadState(
        name=seen.name,
        phase=Phase.PENDING if again else Phase.ENDED,
        exit_code=ended.get("exitCode"),
        reason=why.reason,
        fault=why.fault,
        message=why.message or ("its restart" if again else ""),
        restarts=_restarts(seen, status),
        started_at=started,
        ended_at=max(started, finished) if started and finished else finished,
    )


def _why_over(seen: _Workload, pod: Manifest, ended: Status, taken: str) -> Trouble:
    if seen.is_stopped:
        return Trouble(message="")
    if taken:
        fault = Fault.REPOSITORY if used_too_much(taken) else Fault.PLATFORM
        return Trouble(reason=Reason.EVICTED, fault=fault, message=taken)
    reason = str((pod.get("status") or {}).get("reason") or "")
    if reason == "DeadlineExceeded":
        return Trouble(reason=Reason.DEADLINE_EXCEEDED, message="it did not end within its time limit")
    if was_deleted(pod, ended):
        return Trouble(reason=Reason.GONE, fault=Fault.PLATFORM, message="somebody deleted its pod")
    if ended:
        return why_ended(pod, seen.container, ended)
    message = str((pod.get("status") or {}).get("message") or reason or "it left no exit code")
    return Trouble(reason=Reason.GONE, fault=Fault.PLATFORM, message=message)


def _pending(seen: _Workload, trouble: Trouble) -> WorkloadState:
    return WorkloadState(
        name=seen.name,
        phase=Phase.PENDING,
        reason=trouble.reason,
        fault=trouble.fault if trouble.reason else None,
        message=trouble.message,
    )


def _gone(seen: _Workload, why: str, started: datetime | None) -> WorkloadState:
    return WorkloadState(
        name=seen.name,
        phase=Phase.ENDED,
        reason=Reason.GONE,
        fault=Fault.PLATFORM,
        message=why,
        started_at=started,
    )


def has_lost_node(pod: Manifest, about: Sequence[Manifest]) -> bool:
    """Tell whether the cluster gave up the pod's node: the kubelet itself never says so. `about` is the pod's events."""
    ready = condition(pod, "Ready")
    return ready.get("status") != "True" and any(event.get("reason") == NODE_NOT_READY for event in about)


def _starts_again(pod: Manifest, status: Status) -> bool:
    policy = pod["spec"].get("restartPolicy") or "Always"
    code = (last_end(status) or {}).get("exitCode")
    return not is_leaving(pod) and (policy == "Always" or (policy == "OnFailure" and code != 0))


def _is_made_again(seen: _Workload, pod: Manifest) -> bool:
    """Tell whether another pod takes the place of one that the cluster took away.

    One that used more storage than it may has no such condition: then its Job has failed.
    """
    if not seen.is_job:
        return True
    if not holds(pod, "DisruptionTarget"):
        return False
    rules = (seen.keeper["spec"].get("podFailurePolicy") or {}).get("rules") or ()
    ignored = any(rule.get("action") == "Ignore" and rule.get("onPodConditions") for rule in rules)
    return ignored and not is_finished(seen.keeper)


def _tries_again(seen: _Workload) -> bool:
    """Tell whether a Job makes another pod for one that failed."""
    if not seen.is_job:
        return True
    spec = seen.keeper["spec"]
    limit = int(spec.get("backoffLimitPerIndex", spec.get("backoffLimit", 6)))
    return limit > 0 and not is_finished(seen.keeper) and _failed_pods(seen) <= limit


def _failed_pods(seen: _Workload) -> int:
    return sum((pod.get("status") or {}).get("phase") == "Failed" for pod in seen.pods)


def _restarts(seen: _Workload, status: Status) -> int:
    """Count the starts after the first: in the same pod, and in those before it that failed by themselves."""
    here = int(status.get("restartCount") or 0)
    if not seen.is_job or _labels(seen.keeper).get(LABEL_KIND) == "job":
        return here
    earlier = [p for p in seen.pods if is_over(p) and not was_taken_away(p)]
    return (
        here + max(0, len(earlier) - (1 if len(earlier) == len(seen.pods) else 0))
        if _is_single(seen)
        else here
    )


def _is_single(seen: _Workload) -> bool:
    return wanted_pods(seen.keeper) == 1


def _well_being(state: WorkloadState) -> tuple[int, int]:
    """Order states from the worst: failed, pending, unhealthy, starting, running well."""
    bad = state.reason is not None or (state.phase is Phase.ENDED and state.exit_code != 0)
    phases = {Phase.SLEEPING: 1, Phase.PENDING: 2, Phase.RUNNING: 3, Phase.ENDED: 4}
    healths = {Health.UNHEALTHY: 0, Health.STARTING: 1, Health.HEALTHY: 2, Health.NONE: 2}
    return (0 if bad else phases[state.phase], healths[state.health])


def _labels(thing: Manifest) -> Mapping[str, str]:
    return thing["metadata"].get("labels") or {}


def _when(event: Manifest) -> str:
    series = event.get("series") or {}
    made = event["metadata"].get("creationTimestamp")
    return str(
        series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or made or ""
    )
