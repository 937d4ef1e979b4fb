"""A test suite as a Job: its command under the runner, and a collector beside it that saves what the suite leaves in every ending.

    collector (native sidecar)   lays the tools into a volume, waits, and writes the archive to its own log when the tests have ended
    the suite's container        tini > run > the command of the suite; `run` mirrors reports and artifacts into a shared volume

Time limits stand on the pod, since a Job's would delete the pod and its log. The finalizer keeps the pod's record until Conductor has
collected, also where somebody deletes or evicts it. What is in the images is in `deploy/tools/`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy

from conductor.adapters.kubernetes.manifests.patterns import pattern
from conductor.adapters.kubernetes.manifests.secrets import escaped
from conductor.adapters.kubernetes.manifests.site import Manifest
from conductor.domain.stack import Job

COLLECTOR = "conductor-collector"
FINALIZER = "conductor.dev/collect"
LIMIT_BYTES = 256 * 2**20
"""More than this is not collected of one suite."""
LOG_BYTES = 6_000_000
"""Archives up to this size go through the collector's log: a kubelet rotates logs of 10 MiB by default, and only the newest can be read."""
HOLD_SECONDS = 120
"""So long a larger archive waits to be fetched."""
PACKING_SECONDS = 30
START_SECONDS = 600
"""What pulling images and starting may add to the time limit of the pod; while Conductor is there it counts the suite's time itself."""
GONE_SECONDS = 60
"""So long after its node was given up a pod is given up too (Kubernetes' default is five minutes)."""
HOME = "/.conductor"
TOOLS, RESULTS, SCRATCH = f"{HOME}/tools", f"{HOME}/results", f"{HOME}/scratch"
WHOLE, TAKEN = f"{SCRATCH}/whole", f"{SCRATCH}/taken"
"""The archive that waits to be fetched, and the file that says that it was."""
_NOBODY = 65532


def test_job(job: Job, template: Manifest, *, tools_image: str) -> Manifest:
    """Make the Job of a suite of its pod template (labels, the suite's container, volumes). The caller adds name and place."""
    made = deepcopy(template)
    pod = _part(made, "spec")
    grace = math.ceil(job.workload.stop_grace_period.total_seconds())
    pod["restartPolicy"] = "Never"
    pod["activeDeadlineSeconds"] = math.ceil(job.time_limit.total_seconds()) + START_SECONDS
    pod["tolerations"] = [*_list(pod, "tolerations"), *_tolerations()]
    if job.reports or job.artifacts:
        pod["terminationGracePeriodSeconds"] = grace + PACKING_SECONDS + HOLD_SECONDS
        pod["volumes"] = [*_list(pod, "volumes"), *_volumes()]
        pod["initContainers"] = [collector(tools_image), *_list(pod, "initContainers")]
        _wrap(_container(pod), job, grace)
    metadata = _part(made, "metadata")
    metadata["finalizers"] = [*_list(metadata, "finalizers"), FINALIZER]
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": _spec(made)}


test_job.__test__ = False  # type: ignore[attr-defined]  # no test, whatever its name says


def collector(image: str) -> Manifest:
    """Make the sidecar. It meets Pod Security `restricted`, whatever the suite's own container asks for."""
    return {
        "name": COLLECTOR,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "restartPolicy": "Always",
        "command": ["/bin/busybox", "sh", "/bin/collect"],
        "args": ["wait", RESULTS, SCRATCH, str(LOG_BYTES), str(HOLD_SECONDS)],
        "lifecycle": {
            "postStart": {"exec": {"command": ["/bin/busybox", "sh", "/bin/collect", "install", TOOLS]}}
        },
        "resources": {
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"cpu": "1", "memory": "128Mi"},
        },
        "securityContext": {
            "runAsUser": _NOBODY,
            "runAsGroup": _NOBODY,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": "conductor-tools", "mountPath": TOOLS},
            {"name": "conductor-results", "mountPath": RESULTS, "readOnly": True},
            {"name": "conductor-scratch", "mountPath": SCRATCH},
        ],
    }


def _wrap(container: Manifest, job: Job, grace: int) -> None:
    """Put the runner before the command. The tests' own entry point is known: a plan always names it."""
    command = [*_list(container, "command"), *_list(container, "args")]
    container["command"] = [f"{TOOLS}/tini", "-s", "-g", "--", f"{TOOLS}/busybox", "sh", f"{TOOLS}/run"]
    container["args"] = [RESULTS, str(grace), str(LIMIT_BYTES), *_wanted(job), "--", *command]
    container["volumeMounts"] = [
        *_list(container, "volumeMounts"),
        {"name": "conductor-tools", "mountPath": TOOLS, "readOnly": True},
        {"name": "conductor-results", "mountPath": RESULTS},
    ]


def _wanted(job: Job) -> Iterator[str]:
    for kind, globs in (("r", job.reports), ("a", job.artifacts)):
        for glob in globs:
            found = pattern(glob)
            yield from (kind, found.base, escaped(found.root), escaped(found.regex))


def _volumes() -> list[Manifest]:
    """List the volumes: the mirror, the archive of it, and the tools. All are the pod's, and go with it."""
    room = f"{LIMIT_BYTES * 5 // 4 // 2**20}Mi"
    return [
        {"name": "conductor-tools", "emptyDir": {"sizeLimit": "16Mi"}},
        {"name": "conductor-results", "emptyDir": {"sizeLimit": room}},
        {"name": "conductor-scratch", "emptyDir": {"sizeLimit": room}},
    ]


def _tolerations() -> list[Manifest]:
    return [
        {
            "key": f"node.kubernetes.io/{trouble}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": GONE_SECONDS,
        }
        for trouble in ("not-ready", "unreachable")
    ]


def _spec(template: Manifest) -> Manifest:
    """Let the Job try once, and fail at once when the cluster takes the pod away."""
    taken_away = {"type": "DisruptionTarget", "status": "True"}
    return {
        "backoffLimit": 0,
        "podFailurePolicy": {"rules": [{"action": "FailJob", "onPodConditions": [taken_away]}]},
        "template": template,
    }


def _container(pod: Manifest) -> Manifest:
    container = _list(pod, "containers")[0]
    assert isinstance(container, dict)  # noqa: S101 -- made by our own conversion
    return container


def _part(thing: Manifest, key: str) -> Manifest:
    part = thing.setdefault(key, {})
    assert isinstance(part, dict)  # noqa: S101 -- made by our own conversion
    return part


def _list(thing: Manifest, key: str) -> list[object]:
    found = thing.get(key) or []
    assert isinstance(found, list)  # noqa: S101 -- made by our own conversion
    return found
