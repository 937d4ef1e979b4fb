"""Pods of a template, as all controllers make them, and how they are counted."""

from __future__ import annotations

from copy import deepcopy

from tests.kubernetes.fake_api.controllers.loop import reference
from tests.kubernetes.fake_api.kinds import PODS, Object, Resource
from tests.kubernetes.fake_api.objects import Asked, Deletion, Objects
from tests.kubernetes.fake_api.problems import Problem

_ASKED = Asked(manager="kube-controller-manager")


def make_pod(
    objects: Objects,
    resource: Resource,
    owner: Object,
    template: Object,
    source: str,
    *,
    name: str = "",
    **metadata: object,
) -> str:
    """Make a pod; where that is refused, tell it in an event and return why."""
    own = deepcopy(template.get("metadata") or {})
    own.update(ownerReferences=[reference(resource, owner)], **metadata)
    own.update({"name": name} if name else {"generateName": f"{owner['metadata']['name']}-"})
    own["finalizers"] = [
        *((template.get("metadata") or {}).get("finalizers") or ()),
        *(metadata.get("finalizers") or ()),
    ]  # type: ignore[misc]
    if not own["finalizers"]:
        del own["finalizers"]
    pod = {"metadata": own, "spec": deepcopy(template["spec"])}
    try:
        made = objects.create(PODS, owner["metadata"]["namespace"], pod, _ASKED)
    except Problem as problem:
        objects.record(
            owner, "FailedCreate", f"Error creating: {problem.message}", warning=True, source=source
        )
        return problem.message
    objects.record(owner, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}", source=source)
    return ""


def end_pod(objects: Objects, owner: Object, pod: Object, source: str) -> None:
    """Ask for a pod's end."""
    metadata = pod["metadata"]
    if metadata.get("deletionTimestamp"):
        return
    objects.delete(PODS, metadata["namespace"], metadata["name"], Deletion(propagation="Background"))
    objects.record(owner, "SuccessfulDelete", f"Deleted pod: {metadata['name']}", source=source)


def is_active(pod: Object) -> bool:
    """Tell whether a pod counts: neither over nor leaving."""
    return not is_over(pod) and not pod["metadata"].get("deletionTimestamp")


def is_over(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_ready(pod: Object) -> bool:
    return any(
        c["type"] == "Ready" and c["status"] == "True"
        for c in (pod.get("status") or {}).get("conditions") or ()
    )
