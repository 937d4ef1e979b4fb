"""Deployments, ReplicaSets and StatefulSets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from copy import deepcopy

from tests.kubernetes.fake_api import times
from tests.kubernetes.fake_api.controllers.loop import Key, Loop, owned, owner_key, reference
from tests.kubernetes.fake_api.controllers.pods import end_pod, is_active, is_over, is_ready, make_pod
from tests.kubernetes.fake_api.kinds import CLAIMS, DEPLOYMENTS, PODS, REPLICA_SETS, STATEFUL_SETS, Object
from tests.kubernetes.fake_api.objects import Asked, Objects
from tests.kubernetes.fake_api.pod_status import with_condition
from tests.kubernetes.fake_api.store import Event

_HASH = "pod-template-hash"
_RETRY = 1.0
"""Seconds until a pod that was refused is tried again."""


class ReplicaSetController:
    def __init__(self, objects: Objects, loop: Loop) -> None:
        self.objects, self.loop = objects, loop

    def concerned(self, event: Event) -> Iterable[Key]:
        if event.resource is REPLICA_SETS and event.type != "DELETED":
            yield event.now["metadata"]["namespace"], event.now["metadata"]["name"]
        elif event.resource is PODS:
            yield from owner_key(event, "ReplicaSet")

    def reconcile(self, key: Key) -> None:
        found = self.objects.store.find(REPLICA_SETS, *key)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return
        pods = owned(self.objects.store.all(PODS, key[0]), found)
        active = [pod for pod in pods if is_active(pod)]
        wanted, problem = found["spec"]["replicas"], ""
        for _ in range(wanted - len(active)):
            if problem := make_pod(
                self.objects, REPLICA_SETS, found, found["spec"]["template"], "replicaset-controller"
            ):
                self.loop.later(self, key, _RETRY)
                break
        for pod in sorted(active, key=lambda p: (is_ready(p), p["metadata"]["creationTimestamp"]))[
            : max(0, len(active) - wanted)
        ]:
            end_pod(self.objects, found, pod, "replicaset-controller")
        self._tell(key, found, problem)

    def _tell(self, key: Key, found: Object, problem: str) -> None:
        active = [pod for pod in owned(self.objects.store.all(PODS, key[0]), found) if is_active(pod)]
        ready = sum(map(is_ready, active))
        conditions = None
        if problem:
            known = (found.get("status") or {}).get("conditions") or []
            conditions = [_plain(c) for c in with_condition(known, "ReplicaFailure", "FailedCreate", problem)]
        self.objects.status(
            REPLICA_SETS, found, replicas=len(active), fullyLabeledReplicas=len(active) or None, readyReplicas=ready or None,
            availableReplicas=ready or None, observedGeneration=found["metadata"]["generation"], conditions=conditions,
        )  # fmt: skip


class DeploymentController:
    def __init__(self, objects: Objects, loop: Loop) -> None:
        self.objects, self.loop = objects, loop

    def concerned(self, event: Event) -> Iterable[Key]:
        if event.resource is DEPLOYMENTS and event.type != "DELETED":
            yield event.now["metadata"]["namespace"], event.now["metadata"]["name"]
        elif event.resource is REPLICA_SETS:
            yield from owner_key(event, "Deployment")
        elif event.resource is PODS and event.type == "DELETED":
            for namespace, name in owner_key(event, "ReplicaSet"):
                yield namespace, name.rpartition("-")[0]

    def reconcile(self, key: Key) -> None:
        found = self.objects.store.find(DEPLOYMENTS, *key)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return
        sets = owned(self.objects.store.all(REPLICA_SETS, key[0]), found)
        name = f"{key[1]}-{_hash(found['spec']['template'])}"
        current = next((s for s in sets if s["metadata"]["name"] == name), None)
        others = [s for s in sets if s["metadata"]["name"] != name]
        for other in others:
            self._scale(found, other, 0)
        is_waiting = found["spec"]["strategy"]["type"] == "Recreate" and self._has_pods(others)
        if current is None and not is_waiting:
            current = self._make(found, name)
        elif current is not None and not is_waiting:
            self._scale(found, current, found["spec"]["replicas"])
        self._tell(found, current)

    def _has_pods(self, sets: list[Object]) -> bool:
        return any(
            not is_over(pod)
            for s in sets
            for pod in owned(self.objects.store.all(PODS, s["metadata"]["namespace"]), s)
        )

    def _make(self, found: Object, name: str) -> Object:
        template = deepcopy(found["spec"]["template"])
        digest = name.rpartition("-")[2]
        template["metadata"].setdefault("labels", {})[_HASH] = digest
        selector = deepcopy(found["spec"]["selector"])
        selector.setdefault("matchLabels", {})[_HASH] = digest
        made = {
            "metadata": {
                "name": name,
                "labels": template["metadata"]["labels"],
                "annotations": {"deployment.kubernetes.io/revision": "1"},
                "ownerReferences": [reference(DEPLOYMENTS, found)],
            },
            "spec": {"replicas": found["spec"]["replicas"], "selector": selector, "template": template},
        }
        created = self.objects.create(
            REPLICA_SETS, found["metadata"]["namespace"], made, Asked(manager="kube-controller-manager")
        )
        self.objects.record(found, "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {found['spec']['replicas']}", source="deployment-controller")  # fmt: skip  # noqa: E501
        return created

    def _scale(self, found: Object, replica_set: Object, wanted: int) -> None:
        had = replica_set["spec"]["replicas"]
        if had == wanted:
            return

        def change(thing: Object) -> None:
            thing["spec"]["replicas"] = wanted
            thing["metadata"]["generation"] += 1

        self.objects.alter(REPLICA_SETS, replica_set, change)
        way = "up" if wanted > had else "down"
        said = f"Scaled {way} replica set {replica_set['metadata']['name']} from {had} to {wanted}"
        self.objects.record(found, "ScalingReplicaSet", said, source="deployment-controller")

    def _tell(self, found: Object, current: Object | None) -> None:
        status = (current or {}).get("status") or {}
        wanted, ready = found["spec"]["replicas"], status.get("readyReplicas", 0)
        is_available = ready >= wanted
        known = (found.get("status") or {}).get("conditions") or []
        conditions = with_condition(
            known,
            "Available",
            "MinimumReplicasAvailable" if is_available else "MinimumReplicasUnavailable",
            f"Deployment {'has' if is_available else 'does not have'} minimum availability.",
            holds=is_available,
        )
        failure = next((c for c in status.get("conditions") or () if c["type"] == "ReplicaFailure"), None)
        conditions = [c for c in conditions if c["type"] != "ReplicaFailure"]
        if failure:
            conditions.append({**failure, "lastUpdateTime": failure["lastTransitionTime"]})
        self.objects.status(
            DEPLOYMENTS, found, observedGeneration=found["metadata"]["generation"], replicas=status.get("replicas") or None,
            updatedReplicas=status.get("replicas") or None, readyReplicas=ready or None, availableReplicas=ready or None,
            unavailableReplicas=max(0, wanted - ready) or None, conditions=[_updated(c) for c in conditions],
        )  # fmt: skip


class StatefulSetController:
    def __init__(self, objects: Objects, loop: Loop) -> None:
        self.objects, self.loop = objects, loop

    def concerned(self, event: Event) -> Iterable[Key]:
        if event.resource is STATEFUL_SETS and event.type != "DELETED":
            yield event.now["metadata"]["namespace"], event.now["metadata"]["name"]
        elif event.resource is PODS:
            yield from owner_key(event, "StatefulSet")

    def reconcile(self, key: Key) -> None:
        found = self.objects.store.find(STATEFUL_SETS, *key)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return
        pods = {pod["metadata"]["name"]: pod for pod in owned(self.objects.store.all(PODS, key[0]), found)}
        for number in range(found["spec"]["replicas"]):
            name = f"{key[1]}-{number}"
            if name not in pods:
                self._make(key, found, name, number)
            elif is_over(pods[name]):
                end_pod(self.objects, found, pods[name], "statefulset-controller")
            if found["spec"]["podManagementPolicy"] == "OrderedReady" and not is_ready(pods.get(name, {})):
                break
        for name, pod in pods.items():
            if int(name.rpartition("-")[2]) >= found["spec"]["replicas"]:
                end_pod(self.objects, found, pod, "statefulset-controller")
        self._tell(key, found)

    def _make(self, key: Key, found: Object, name: str, number: int) -> None:
        template = deepcopy(found["spec"]["template"])
        labels = template["metadata"].setdefault("labels", {})
        labels.update(
            {"statefulset.kubernetes.io/pod-name": name, "apps.kubernetes.io/pod-index": str(number)}
        )
        template["spec"].update(hostname=name, subdomain=found["spec"].get("serviceName") or "")
        for claim in found["spec"].get("volumeClaimTemplates") or ():
            self._claim(key[0], claim, name, template)
        if make_pod(self.objects, STATEFUL_SETS, found, template, "statefulset-controller", name=name):
            self.loop.later(self, key, _RETRY)

    def _claim(self, namespace: str, claim: Object, pod: str, template: Object) -> None:
        volume = claim["metadata"]["name"]
        name = f"{volume}-{pod}"
        if self.objects.store.find(CLAIMS, namespace, name) is None:
            made = {"metadata": {**claim["metadata"], "name": name}, "spec": claim["spec"]}
            self.objects.create(CLAIMS, namespace, made, Asked(manager="kube-controller-manager"))
        template["spec"].setdefault("volumes", []).append(
            {"name": volume, "persistentVolumeClaim": {"claimName": name}}
        )

    def _tell(self, key: Key, found: Object) -> None:
        active = [pod for pod in owned(self.objects.store.all(PODS, key[0]), found) if is_active(pod)]
        ready = sum(map(is_ready, active))
        self.objects.status(
            STATEFUL_SETS, found, observedGeneration=found["metadata"]["generation"], replicas=len(active), currentReplicas=len(active),
            updatedReplicas=len(active), readyReplicas=ready or None, availableReplicas=ready, collisionCount=0,
        )  # fmt: skip


def _hash(template: Object) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def _plain(condition: Object) -> Object:
    return {key: value for key, value in condition.items() if key != "lastProbeTime"}


def _updated(condition: Object) -> Object:
    found = _plain(condition)
    return {**found, "lastUpdateTime": found.get("lastUpdateTime") or times.now()}
