"""What belongs to no workload: namespaces and their accounts, garbage, the scheduler, claims, and what quotas say is used."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from tests.kubernetes.fake_api import times
from tests.kubernetes.fake_api.admission import usage
from tests.kubernetes.fake_api.controllers.loop import Key, Loop
from tests.kubernetes.fake_api.kinds import (
    BY_KIND,
    CLAIMS,
    CONFIG_MAPS,
    EVENTS,
    NAMESPACES,
    NODES,
    PODS,
    QUOTAS,
    SERVICE_ACCOUNTS,
    STORAGE_CLASSES,
    Object,
    Resource,
)
from tests.kubernetes.fake_api.objects import Asked, Deletion, Objects
from tests.kubernetes.fake_api.pod_status import with_condition
from tests.kubernetes.fake_api.problems import Problem
from tests.kubernetes.fake_api.quantities import amount, written
from tests.kubernetes.fake_api.store import Event

_OURS = Asked(manager="kube-controller-manager")


class NamespaceController:
    """Gives a namespace its account, and empties one that is to go."""

    def __init__(self, objects: Objects, loop: Loop) -> None:
        self.objects, self.loop = objects, loop

    def concerned(self, event: Event) -> Iterable[Key]:
        if event.resource is NAMESPACES and event.type != "DELETED":
            yield "", event.now["metadata"]["name"]
        elif event.type != "ADDED" and (namespace := event.now["metadata"].get("namespace")):
            found = self.objects.store.find(NAMESPACES, "", namespace)
            if found is not None and found["metadata"].get("deletionTimestamp"):
                yield "", namespace

    def reconcile(self, key: Key) -> None:
        found = self.objects.store.find(NAMESPACES, *key)
        if found is None:
            return
        if found["metadata"].get("deletionTimestamp"):
            self._empty(found)
            return
        name = key[1]
        if self.objects.store.find(SERVICE_ACCOUNTS, name, "default") is None:
            self.objects.create(SERVICE_ACCOUNTS, name, {"metadata": {"name": "default"}}, _OURS)
        if self.objects.store.find(CONFIG_MAPS, name, "kube-root-ca.crt") is None:
            self.objects.create(
                CONFIG_MAPS, name, {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": ""}}, _OURS
            )

    def _empty(self, namespace: Object) -> None:
        name = namespace["metadata"]["name"]
        for resource, thing in self.objects.store.content(name):
            if resource is not EVENTS and not thing["metadata"].get("deletionTimestamp"):
                self._delete(resource, thing)
        left = [(r, t) for r, t in self.objects.store.content(name) if r is not EVENTS]
        if left:
            self.objects.status(NAMESPACES, namespace, conditions=_remaining(namespace, left))
            return
        for resource, thing in self.objects.store.content(name):
            self._delete(resource, thing)

        def let_go(thing: Object) -> None:
            thing["spec"]["finalizers"] = []

        self.objects.alter(NAMESPACES, namespace, let_go)

    def _delete(self, resource: Resource, thing: Object) -> None:
        metadata = thing["metadata"]
        try:
            self.objects.delete(
                resource, metadata["namespace"], metadata["name"], Deletion(propagation="Background")
            )
        except Problem:
            return


def _remaining(namespace: Object, left: list[tuple[Resource, Object]]) -> list[Object]:
    """Say what is left in the words of the namespace controller."""
    conditions = (namespace.get("status") or {}).get("conditions") or []
    kinds = Counter(resource.full if resource.group else f"{resource.plural}." for resource, _ in left)
    said = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(kinds.items()))
    held = Counter(f for _, thing in left for f in thing["metadata"].get("finalizers") or ())
    facts = [
        (
            "NamespaceDeletionDiscoveryFailure",
            "ResourcesDiscovered",
            "All resources successfully discovered",
            False,
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
            False,
        ),
        (
            "NamespaceDeletionContentFailure",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
            False,
        ),
        ("NamespaceContentRemaining", "SomeResourcesRemain", f"Some resources are remaining: {said}", True),
    ]
    if held:
        text = ", ".join(
            f"{finalizer} in {count} resource instances" for finalizer, count in sorted(held.items())
        )
        facts.append(
            (
                "NamespaceFinalizersRemaining",
                "SomeFinalizersRemain",
                f"Some content in the namespace has finalizers remaining: {text}",
                True,
            )
        )
    else:
        facts.append(
            (
                "NamespaceFinalizersRemaining",
                "ContentHasNoFinalizers",
                "All content-preserving finalizers finished",
                False,
            )
        )
    for kind, reason, message, holds in facts:
        conditions = with_condition(conditions, kind, reason, message, holds=holds)
    return [{k: v for k, v in c.items() if k != "lastProbeTime"} for c in conditions]


class GarbageCollector:
    """Deletes what has lost its owner, and ends deletions that wait for dependents."""

    def __init__(self, objects: Objects, loop: Loop) -> None:
        self.objects, self.loop = objects, loop
        self._waiting: dict[str, tuple[Resource, Key]] = {}

    def concerned(self, event: Event) -> Iterable[Key]:
        finalizers = event.now["metadata"].get("finalizers") or ()
        uid = event.now["metadata"]["uid"]
        if event.type == "DELETED":
            self._waiting.pop(uid, None)
            yield event.now["metadata"].get("namespace") or "", uid
            for reference in event.now["metadata"].get("ownerReferences") or ():
                if reference["uid"] in self._waiting:
                    yield event.now["metadata"].get("namespace") or "", reference["uid"]
        elif event.now["metadata"].get("deletionTimestamp") and {"foregroundDeletion", "orphan"} & set(
            finalizers
        ):
            metadata = event.now["metadata"]
            self._waiting[uid] = event.resource, (metadata.get("namespace") or "", metadata["name"])
            yield metadata.get("namespace") or "", uid
        elif event.type == "ADDED" and event.now["metadata"].get("ownerReferences"):
            yield from self._orphaned(event)

    def _orphaned(self, event: Event) -> Iterable[Key]:
        """Name owners that are not there though something new refers to them."""
        namespace = event.now["metadata"].get("namespace") or ""
        for reference in event.now["metadata"]["ownerReferences"]:
            resource = BY_KIND.get((reference["apiVersion"], reference["kind"]))
            found = (
                self.objects.store.find(resource, namespace if resource.namespaced else "", reference["name"])
                if resource
                else None
            )
            if resource and (found is None or found["metadata"]["uid"] != reference["uid"]):
                yield namespace, reference["uid"]

    def reconcile(self, key: Key) -> None:
        namespace, uid = key
        dependents = [(r, t) for r, t in self.objects.store.content(namespace) if _refers(t, uid)]
        if uid not in self._waiting:
            for resource, thing in dependents:
                self._delete(resource, thing, "Background")
            return
        resource, address = self._waiting[uid]
        owner = self.objects.store.find(resource, *address)
        if owner is None:
            return
        finalizers = owner["metadata"].get("finalizers") or ()
        if "orphan" in finalizers:
            for dependent, thing in dependents:
                self.objects.alter(dependent, thing, lambda t: _forget(t, uid))
            self._release(resource, owner, "orphan")
        elif not [t for _, t in dependents if _blocks(t, uid)]:
            self._release(resource, owner, "foregroundDeletion")
        else:
            for dependent, thing in dependents:
                self._delete(dependent, thing, "Foreground")

    def _delete(self, resource: Resource, thing: Object, propagation: str) -> None:
        metadata = thing["metadata"]
        if metadata.get("deletionTimestamp"):
            return
        has_own = any(
            _refers(t, metadata["uid"]) for _, t in self.objects.store.content(metadata["namespace"])
        )
        asked = propagation if has_own else "Background"
        self.objects.delete(resource, metadata["namespace"], metadata["name"], Deletion(propagation=asked))

    def _release(self, resource: Resource, owner: Object, finalizer: str) -> None:
        def change(thing: Object) -> None:
            thing["metadata"]["finalizers"] = [
                f for f in thing["metadata"].get("finalizers") or () if f != finalizer
            ]

        self.objects.alter(resource, owner, change)


def _refers(thing: Object, uid: str) -> bool:
    return any(reference["uid"] == uid for reference in thing["metadata"].get("ownerReferences") or ())


def _blocks(thing: Object, uid: str) -> bool:
    references = thing["metadata"].get("ownerReferences") or ()
    return any(reference["uid"] == uid and reference.get("blockOwnerDeletion") for reference in references)


def _forget(thing: Object, uid: str) -> None:
    kept = [r for r in thing["metadata"].get("ownerReferences") or () if r["uid"] != uid]
    thing["metadata"]["ownerReferences"] = kept
    if not kept:
        del thing["metadata"]["ownerReferences"]


class Scheduler:
    """Gives pods to the node, where it has room and their claims can be bound."""

    def __init__(self, objects: Objects, loop: Loop) -> None:
        self.objects, self.loop = objects, loop

    def concerned(self, event: Event) -> Iterable[Key]:
        if event.resource is PODS and event.type != "DELETED":
            if not event.now["spec"].get("nodeName") and not event.now["metadata"].get("deletionTimestamp"):
                yield event.now["metadata"]["namespace"], event.now["metadata"]["name"]
        elif event.resource in (CLAIMS, NODES):
            for pod in self.objects.store.all(PODS, event.now["metadata"].get("namespace") or ""):
                if not pod["spec"].get("nodeName"):
                    yield pod["metadata"]["namespace"], pod["metadata"]["name"]

    def reconcile(self, key: Key) -> None:
        pod = self.objects.store.find(PODS, *key)
        if pod is None or pod["spec"].get("nodeName") or pod["metadata"].get("deletionTimestamp"):
            return
        if why := self._obstacle(pod):
            known = (pod.get("status") or {}).get("conditions") or []
            self.objects.status(
                PODS, pod, conditions=with_condition(known, "PodScheduled", "Unschedulable", why, holds=False)
            )
            self.objects.record(pod, "FailedScheduling", why, warning=True, source="default-scheduler")
            return
        node = self.objects.store.all(NODES)[0]["metadata"]["name"]

        def bind(thing: Object) -> None:
            thing["spec"]["nodeName"] = node
            known = (thing.get("status") or {}).get("conditions") or []
            others = [c for c in known if c["type"] != "PodScheduled"]
            scheduled = {
                "type": "PodScheduled",
                "status": "True",
                "lastProbeTime": None,
                "lastTransitionTime": times.now(),
            }
            thing["status"] = {**(thing.get("status") or {}), "conditions": [*others, scheduled]}

        metadata = pod["metadata"]
        self.objects.record(pod, "Scheduled", f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {node}", source="default-scheduler")  # fmt: skip  # noqa: E501
        self.objects.alter(PODS, pod, bind)

    def _obstacle(self, pod: Object) -> str:
        """Say in the scheduler's words why no node takes it; empty where one does."""
        for volume in pod["spec"].get("volumes") or ():
            name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            claim = self.objects.store.find(CLAIMS, pod["metadata"]["namespace"], name) if name else None
            if name and claim is None:
                return f'persistentvolumeclaim "{name}" not found'
            if claim and not self._can_be_bound(claim):
                return "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."
        node = self.objects.store.all(NODES)[0]
        labels = node["metadata"].get("labels") or {}
        if any(labels.get(k) != v for k, v in (pod["spec"].get("nodeSelector") or {}).items()):
            return _nobody("1 node(s) didn't match Pod's node affinity/selector")
        lacking = [
            name
            for name in ("cpu", "memory")
            if self._asked(pod, name) > amount(node["status"]["allocatable"][name])
        ]
        return _nobody(", ".join(f"1 Insufficient {name}" for name in lacking)) if lacking else ""

    def _can_be_bound(self, claim: Object) -> bool:
        if (claim.get("status") or {}).get("phase") == "Bound":
            return True
        return (
            self.objects.store.find(STORAGE_CLASSES, "", claim["spec"].get("storageClassName") or "")
            is not None
        )

    @staticmethod
    def _asked(pod: Object, name: str) -> Decimal:
        found = [c.get("resources", {}).get("requests", {}).get(name, 0) for c in pod["spec"]["containers"]]
        return sum(map(amount, found), Decimal(0))


def _nobody(why: str) -> str:
    return (
        f"0/1 nodes are available: {why}. no new claims to deallocate, preemption: 0/1 nodes are available: "
        "1 Preemption is not helpful for scheduling."
    )


class ClaimBinder:
    """Binds claims of the storage class that is there, once a pod wants them."""

    def __init__(self, objects: Objects, loop: Loop) -> None:
        self.objects, self.loop = objects, loop

    def concerned(self, event: Event) -> Iterable[Key]:
        if event.resource is CLAIMS and event.type == "ADDED":
            yield event.now["metadata"]["namespace"], event.now["metadata"]["name"]
        elif event.resource is PODS and event.type != "DELETED" and event.now["spec"].get("nodeName"):
            for volume in event.now["spec"].get("volumes") or ():
                if name := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
                    yield event.now["metadata"]["namespace"], name

    def reconcile(self, key: Key) -> None:
        claim = self.objects.store.find(CLAIMS, *key)
        if claim is None or (claim.get("status") or {}).get("phase") == "Bound":
            return
        name = claim["spec"].get("storageClassName") or ""
        found = self.objects.store.find(STORAGE_CLASSES, "", name)
        if found is None:
            self.objects.record(claim, "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found', warning=True, source="persistentvolume-controller")  # fmt: skip  # noqa: E501
        elif found["volumeBindingMode"] == "Immediate" or self._is_wanted(key):
            self._bind(claim)
        else:
            self.objects.record(claim, "WaitForFirstConsumer", "waiting for first consumer to be created before binding", source="persistentvolume-controller")  # fmt: skip  # noqa: E501

    def _is_wanted(self, key: Key) -> bool:
        return any(
            pod["spec"].get("nodeName") and (v.get("persistentVolumeClaim") or {}).get("claimName") == key[1]
            for pod in self.objects.store.all(PODS, key[0])
            for v in pod["spec"].get("volumes") or ()
        )

    def _bind(self, claim: Object) -> None:
        def change(thing: Object) -> None:
            thing["spec"]["volumeName"] = f"pvc-{uuid.uuid4()}"
            capacity = {"storage": thing["spec"]["resources"]["requests"]["storage"]}
            thing["status"] = {
                "phase": "Bound",
                "accessModes": thing["spec"]["accessModes"],
                "capacity": capacity,
            }

        self.objects.alter(CLAIMS, claim, change)


class QuotaController:
    """Writes what is used of a quota."""

    def __init__(self, objects: Objects, loop: Loop) -> None:
        self.objects, self.loop = objects, loop

    def concerned(self, event: Event) -> Iterable[Key]:
        namespace = event.now["metadata"].get("namespace")
        if (
            event.resource is EVENTS
            or not namespace
            or (event.type == "MODIFIED" and event.resource not in (PODS, QUOTAS))
        ):
            return
        if (
            event.resource is PODS
            and event.type == "MODIFIED"
            and _phase(event.now) == _phase(event.before or {})
        ):
            return
        for quota in self.objects.store.all(QUOTAS, namespace):
            yield namespace, quota["metadata"]["name"]

    def reconcile(self, key: Key) -> None:
        quota = self.objects.store.find(QUOTAS, *key)
        if quota is None:
            return
        hard = quota["spec"].get("hard") or {}
        used = usage(self.objects.store, key[0])
        said = {name: written(used.get(name, Decimal(0)), str(value)) for name, value in hard.items()}
        self.objects.status(QUOTAS, quota, hard=hard, used=said)


def _phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase") or "")
