"""The status of a pod as a kubelet writes it: phase and conditions worked out from its containers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.kubernetes.fake_api import times
from tests.kubernetes.fake_api.kinds import Object


def is_sidecar(container: Object) -> bool:
    return container.get("restartPolicy") == "Always"


def waiting(container: Object, reason: str, message: str = "") -> Object:
    """Make the status of a container that has not started."""
    said = {"message": message} if message else {}
    return {
        "name": container["name"],
        "state": {"waiting": {"reason": reason, **said}},
        "lastState": {},
        "ready": False,
        "restartCount": 0,
        "image": container["image"],
        "imageID": "",
        "started": False,
    }


def status(pod: Object, found: Mapping[str, Object]) -> Object:
    """Put a pod's status together of its containers' statuses."""
    spec, before = pod["spec"], pod.get("status") or {}
    first, main = spec.get("initContainers") or [], spec["containers"]
    is_ready_for_main = all(_is_through(c, found[c["name"]]) for c in first)
    phase = _phase(spec, found, is_started=is_ready_for_main)
    alive = [c["name"] for c in [*main, *filter(is_sidecar, first)] if not found[c["name"]]["ready"]]
    return {
        "phase": phase,
        "conditions": _conditions(
            before.get("conditions") or [], _facts(phase, alive, first, found, is_through=is_ready_for_main)
        ),
        "initContainerStatuses": [found[c["name"]] for c in first] or None,
        "containerStatuses": [found[c["name"]] for c in main],
    }


def _is_through(container: Object, found: Object) -> bool:
    if is_sidecar(container):
        return bool(found.get("started")) or "terminated" in found["state"]
    return (found["state"].get("terminated") or {}).get("exitCode") == 0


def _phase(spec: Object, found: Mapping[str, Object], *, is_started: bool) -> str:
    policy = spec.get("restartPolicy") or "Always"
    steps = [found[c["name"]] for c in spec.get("initContainers") or () if not is_sidecar(c)]
    if policy == "Never" and any((s["state"].get("terminated") or {}).get("exitCode") for s in steps):
        return "Failed"
    main = [found[c["name"]] for c in spec["containers"]]
    if not is_started or all("waiting" in s["state"] and not s["lastState"] for s in main):
        return "Pending"
    if policy == "Always" or not all("terminated" in s["state"] for s in main):
        return "Running"
    sidecars = [found[c["name"]] for c in spec.get("initContainers") or () if is_sidecar(c)]
    if any("running" in s["state"] for s in sidecars):
        return "Running"
    codes = [s["state"]["terminated"]["exitCode"] for s in main]
    if not any(codes):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def _facts(
    phase: str,
    alive: Sequence[str],
    first: Sequence[Object],
    found: Mapping[str, Object],
    *,
    is_through: bool,
) -> list[tuple[str, bool, str, str]]:
    over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "")
    unready = f"containers with unready status: [{' '.join(alive)}]"
    why = (over, "") if over else ("ContainersNotReady", unready)
    left = [c["name"] for c in first if not _is_through(c, found[c["name"]])]
    initialized = is_through or phase == "Succeeded"
    incomplete = ("ContainersNotInitialized", f"containers with incomplete status: [{' '.join(left)}]")
    return [
        ("PodReadyToStartContainers", not over, "", ""),
        (
            "Initialized",
            initialized,
            *(("PodCompleted" if phase == "Succeeded" else "", "") if initialized else incomplete),
        ),
        ("Ready", not alive and not over, *(("", "") if not alive and not over else why)),
        ("ContainersReady", not alive and not over, *(("", "") if not alive and not over else why)),
        ("PodScheduled", True, "", ""),
    ]


def _conditions(before: Sequence[Object], facts: Sequence[tuple[str, bool, str, str]]) -> list[Object]:
    """Write facts as conditions; the time of those that did not turn stays."""
    known = {condition["type"]: condition for condition in before}
    made = []
    for kind, holds, reason, message in facts:
        old = known.pop(kind, None)
        text = "True" if holds else "False"
        since = old["lastTransitionTime"] if old and old["status"] == text else times.now()
        more = {**({"reason": reason} if reason else {}), **({"message": message} if message else {})}
        made.append(
            {"type": kind, "status": text, "lastProbeTime": None, "lastTransitionTime": since, **more}
        )
    return [*known.values(), *made]


def with_condition(
    conditions: Sequence[Object], kind: str, reason: str, message: str, *, holds: bool = True
) -> list[Object]:
    """Add one condition, or change it."""
    text = "True" if holds else "False"
    old = next((c for c in conditions if c["type"] == kind), None)
    since = old["lastTransitionTime"] if old and old["status"] == text else times.now()
    made = {
        "type": kind,
        "status": text,
        "lastProbeTime": None,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    return [*(c for c in conditions if c["type"] != kind), made]
