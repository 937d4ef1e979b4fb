"""A service's health from its probes, with Compose's meaning: starting, healthy, or unhealthy after so many failures in a row.

The startup probe never gives up (`manifests.containers`), so the kubelet kills nothing: that a check has failed often enough is worked
out here, from the time since the container started and from the failures that the kubelet tells in events.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from conductor.adapters.kubernetes.api.kinds import Manifest
from conductor.adapters.kubernetes.seeing.pod_status import Status, condition, main_container, moment
from conductor.domain.states import Health

START_PERIOD = "conductor.dev/start-period-seconds"
"""Annotation of a pod whose check may fail for so long without counting: Kubernetes has no place for it."""
MOST_FAILURES_TOLD = 20
"""The kubelet tells no more of one pod's events than about 25 in a short time."""


def health(pod: Manifest, name: str, status: Status, events: Sequence[Manifest], now: datetime) -> Health:
    """Read the health of a running container; NONE where it has no check."""
    probe = main_container(pod, name).get("readinessProbe")
    running = (status.get("state") or {}).get("running")
    if not probe or not running:
        return Health.NONE
    if status.get("ready"):
        return Health.HEALTHY
    started = moment(running.get("startedAt"))
    if status.get("started") and started and _was_ready(pod, started):
        return Health.UNHEALTHY
    late = started is not None and now - started >= _patience(pod, probe)
    often = failures(events, name) >= min(int(probe.get("failureThreshold") or 3), MOST_FAILURES_TOLD)
    return Health.UNHEALTHY if late and often else Health.STARTING


def failures(events: Sequence[Manifest], name: str) -> int:
    """Count how often the check failed, as far as the kubelet tells."""
    return sum(_count(event) for event in _of_check(events, name))


def last_failure(events: Sequence[Manifest], name: str) -> str:
    """Return what the check said the last time that it failed."""
    said = [str(event.get("message") or "") for event in _of_check(events, name)]
    if not said:
        return ""
    return said[-1].partition("probe failed:")[2].strip() or said[-1].rstrip(": ")


def _of_check(events: Sequence[Manifest], name: str) -> list[Manifest]:
    found = (e for e in events if e.get("reason") in ("Unhealthy", "ProbeError"))
    return [e for e in found if (e.get("involvedObject") or {}).get("fieldPath", "").endswith(f"{{{name}}}")]


def _count(event: Manifest) -> int:
    return int((event.get("series") or {}).get("count") or event.get("count") or 1)


def _was_ready(pod: Manifest, started: datetime) -> bool:
    """Tell whether all was ready once since the container started: then it is not ready because it became so."""
    changed = moment(condition(pod, "ContainersReady").get("lastTransitionTime"))
    return changed is not None and changed > started + timedelta(seconds=1)


def _patience(pod: Manifest, probe: Status) -> timedelta:
    annotations = pod["metadata"].get("annotations") or {}
    start_period = float(annotations.get(START_PERIOD) or 0)
    period, times = int(probe.get("periodSeconds") or 10), int(probe.get("failureThreshold") or 3)
    return timedelta(seconds=start_period + period * times)
