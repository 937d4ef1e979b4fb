"""What a pod's own status says: pure reading of one pod, as far as it concerns the container that the service is.

Times are whole seconds in Kubernetes; a reading never depends on anything but what is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from conductor.adapters.kubernetes.api.kinds import Manifest

Status = Mapping[str, Any]
"""A part of an object, as the API server gives it."""

TAKEN_AWAY = frozenset({"Evicted", "Preempting", "NodeShutdown", "Terminated", "Shutdown", "NodeLost"})
"""Reasons in a pod's status for which the cluster took it away (kubelet's eviction, graceful shutdown, preemption)."""
REFUSED_BY_NODE = ("OutOf", "NodeAffinity", "UnexpectedAdmissionError", "NodePorts", "TopologyAffinityError")
"""Beginnings of the reasons for which a kubelet does not take a pod that was given to it."""


def moment(text: str | None) -> datetime | None:
    """Read a time of Kubernetes (RFC 3339); None for none, which containerd writes as the year 1970 where nothing was started.

    >>> moment("2026-11-23T13:18:08Z").isoformat()
    '2026-11-23T13:18:08+00:00'
    >>> moment("1970-01-01T00:00:00Z")
    """
    return None if not text or text.startswith(("1970-", "0001-")) else datetime.fromisoformat(text)


def main_status(pod: Manifest, name: str) -> Status:
    """Return the status of the container that the service is; empty before the kubelet has it."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return next(
        (status for status in statuses if status.get("name") == name), statuses[0] if statuses else {}
    )


def main_container(pod: Manifest, name: str) -> Status:
    """Return what was asked of it."""
    containers = pod["spec"]["containers"]
    return next((container for container in containers if container["name"] == name), containers[0])


def state_of(status: Status, state: str) -> Status | None:
    """Return the part `running`, `waiting` or `terminated` of a container's state, or None."""
    found = (status.get("state") or {}).get(state)
    return None if found is None else dict(found)


def last_end(status: Status) -> Status | None:
    """Return how the container ended last, now or before it was started again."""
    ended = state_of(status, "terminated") or (status.get("lastState") or {}).get("terminated")
    return dict(ended) if ended else None


def condition(thing: Manifest, kind: str) -> Status:
    """Return a condition of a pod, Job or Deployment; empty where there is none."""
    conditions = (thing.get("status") or {}).get("conditions") or ()
    return next((found for found in conditions if found.get("type") == kind), {})


def holds(thing: Manifest, kind: str) -> bool:
    """Tell whether a condition is true."""
    return condition(thing, kind).get("status") == "True"


def is_over(pod: Manifest) -> bool:
    """Tell whether nothing of it runs any more."""
    return (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")


def is_leaving(pod: Manifest) -> bool:
    """Tell whether somebody asked for its end."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def was_taken_away(pod: Manifest) -> str:
    """Say in the cluster's words why it took the pod away; empty where it did not."""
    status = pod.get("status") or {}
    reason = str(status.get("reason") or "")
    if reason in TAKEN_AWAY or reason.startswith(REFUSED_BY_NODE):
        return f"{reason}: {status.get('message') or 'the cluster gave no reason'}"
    if holds(pod, "DisruptionTarget"):
        disruption = condition(pod, "DisruptionTarget")
        return f"{disruption.get('reason') or 'Evicted'}: {disruption.get('message') or ''}".rstrip(": ")
    return ""


def was_deleted(pod: Manifest, ended: Status) -> bool:
    """Tell whether the container ended because somebody deleted its pod, and not before that."""
    due, finished = moment(pod["metadata"].get("deletionTimestamp")), moment(ended.get("finishedAt"))
    if due is None or finished is None:
        return False
    return finished >= due - timedelta(seconds=int(pod["metadata"].get("deletionGracePeriodSeconds") or 0))


def newest(pods: Iterable[Manifest], count: int) -> list[Manifest]:
    """Return the newest pods; those that are leaving come last."""
    by_age = sorted(
        pods, key=lambda p: (not is_leaving(p), p["metadata"].get("creationTimestamp") or "", _version(p))
    )
    return by_age[-max(count, 1) :]


def _version(pod: Manifest) -> int:
    text = str(pod["metadata"].get("resourceVersion") or "0")
    return int(text) if text.isdecimal() else 0
