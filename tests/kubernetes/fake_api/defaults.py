"""What the API server fills in where an object says nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from tests.kubernetes.fake_api.kinds import (
    CLAIMS,
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    NETWORK_POLICIES,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICES,
    STATEFUL_SETS,
    Object,
    Resource,
)

JOB_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid")
JOB_NAMES = ("batch.kubernetes.io/job-name", "job-name")
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def fill_in(resource: Resource, thing: Object) -> None:
    """Fill in the defaults of an object that is written."""
    if found := _DEFAULTS.get(resource):
        found(thing)


def _missing(thing: Object, **values: Any) -> None:
    for key, value in values.items():
        if thing.get(key) is None:
            thing[key] = value


def _namespace(thing: Object) -> None:
    thing["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = thing["metadata"]["name"]
    _missing(thing.setdefault("spec", {}), finalizers=["kubernetes"])
    _missing(thing.setdefault("status", {}), phase="Active")


def _secret(thing: Object) -> None:
    import base64

    for key, value in (thing.pop("stringData", None) or {}).items():
        thing.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()
    _missing(thing, type="Opaque")


def _pod(thing: Object) -> None:
    spec = thing.setdefault("spec", {})
    pod_spec(spec)
    _missing(
        spec, serviceAccountName="default", serviceAccount="default", priority=0, enableServiceLinks=True
    )
    _missing(spec, preemptionPolicy="PreemptLowerPriority")
    _tolerate(spec)
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = container["resources"]
        for name, value in (resources.get("limits") or {}).items():
            resources.setdefault("requests", {}).setdefault(name, value)
    _missing(thing.setdefault("status", {}), phase="Pending", qosClass=_quality(spec))


def _tolerate(spec: Object) -> None:
    there = spec.setdefault("tolerations", [])
    for trouble in ("not-ready", "unreachable"):
        key = f"node.kubernetes.io/{trouble}"
        if not any(toleration.get("key") == key for toleration in there):
            there.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})


def _quality(spec: Object) -> str:
    resources = [container["resources"] for container in spec.get("containers") or ()]
    if not any(found.get("requests") or found.get("limits") for found in resources):
        return "BestEffort"
    whole = all(
        (found.get("limits") or {}).keys() >= {"cpu", "memory"} and found["limits"] == found.get("requests")
        for found in resources
    )
    return "Guaranteed" if whole else "Burstable"


def pod_spec(spec: Object) -> None:
    """Fill in what pods and pod templates have in common."""
    _missing(spec, restartPolicy="Always", dnsPolicy="ClusterFirst", schedulerName="default-scheduler")
    _missing(spec, terminationGracePeriodSeconds=30, securityContext={})
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        _container(container)
    for volume in spec.get("volumes") or ():
        for kind in ("configMap", "projected", "downwardAPI", "secret"):
            if volume.get(kind) is not None:
                _missing(volume[kind], defaultMode=420)
        if volume.keys() == {"name"}:
            volume["emptyDir"] = {}


def _container(container: Object) -> None:
    image = str(container.get("image") or "")
    tag = image.rpartition("/")[2].partition(":")[2]
    is_latest = "@" not in image and tag in ("", "latest")
    _missing(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
    _missing(container, imagePullPolicy="Always" if is_latest else "IfNotPresent", resources={})
    for port in container.get("ports") or ():
        _missing(port, protocol="TCP")
    for variable in container.get("env") or ():
        if reference := (variable.get("valueFrom") or {}).get("fieldRef"):
            _missing(reference, apiVersion="v1")
    for kind in ("readinessProbe", "livenessProbe", "startupProbe"):
        if probe := container.get(kind):
            _missing(probe, **_PROBE)
            if get := probe.get("httpGet"):
                _missing(get, path="/", scheme="HTTP")


def _template(thing: Object) -> None:
    template = thing["spec"].setdefault("template", {})
    template.setdefault("metadata", {})
    pod_spec(template.setdefault("spec", {}))


def _deployment(thing: Object) -> None:
    spec = thing.setdefault("spec", {})
    _missing(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    _missing(spec.setdefault("strategy", {}), type="RollingUpdate")
    if spec["strategy"]["type"] == "RollingUpdate":
        _missing(spec["strategy"], rollingUpdate={"maxUnavailable": "25%", "maxSurge": "25%"})
    _template(thing)


def _replica_set(thing: Object) -> None:
    _missing(thing.setdefault("spec", {}), replicas=1)
    _template(thing)


def _stateful_set(thing: Object) -> None:
    spec = thing.setdefault("spec", {})
    _missing(spec, replicas=1, podManagementPolicy="OrderedReady", revisionHistoryLimit=10)
    _missing(spec, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
    for claim in spec.get("volumeClaimTemplates") or ():
        claim.update(apiVersion="v1", kind="PersistentVolumeClaim")
        _claim(claim)
    _template(thing)


def _job(thing: Object) -> None:
    spec = thing.setdefault("spec", {})
    _missing(spec, parallelism=1, completions=1, backoffLimit=6, completionMode="NonIndexed", suspend=False)
    _missing(spec, manualSelector=False)
    _missing(spec, podReplacementPolicy="Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            _missing(pattern, status="True")
    _template(thing)
    uid, name = thing["metadata"].get("uid"), thing["metadata"]["name"]
    if uid and not spec.get("selector"):
        labels = spec["template"]["metadata"].setdefault("labels", {})
        labels.update({**dict.fromkeys(JOB_LABELS, uid), **dict.fromkeys(JOB_NAMES, name)})
        spec["selector"] = {"matchLabels": {JOB_LABELS[0]: uid}}


def _service(thing: Object) -> None:
    spec = thing.setdefault("spec", {})
    _missing(spec, type="ClusterIP", sessionAffinity="None", internalTrafficPolicy="Cluster")
    if spec["type"] != "ExternalName":
        _missing(spec, clusterIP=f"10.96.{secrets.randbelow(255)}.{1 + secrets.randbelow(254)}")
        _missing(spec, clusterIPs=[spec["clusterIP"]], ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    for port in spec.get("ports") or ():
        _missing(port, protocol="TCP", targetPort=port.get("port"))
    _missing(thing.setdefault("status", {}), loadBalancer={})


def _claim(thing: Object) -> None:
    _missing(thing.setdefault("spec", {}), volumeMode="Filesystem", storageClassName="standard")
    _missing(thing.setdefault("status", {}), phase="Pending")


def _policy(thing: Object) -> None:
    spec = thing.setdefault("spec", {})
    _missing(spec, policyTypes=["Ingress", *(["Egress"] if spec.get("egress") is not None else [])])
    for rule in [*(spec.get("ingress") or ()), *(spec.get("egress") or ())]:
        for port in rule.get("ports") or ():
            _missing(port, protocol="TCP")


_DEFAULTS: dict[Resource, Callable[[Object], None]] = {
    NAMESPACES: _namespace,
    SECRETS: _secret,
    PODS: _pod,
    DEPLOYMENTS: _deployment,
    REPLICA_SETS: _replica_set,
    STATEFUL_SETS: _stateful_set,
    JOBS: _job,
    SERVICES: _service,
    CLAIMS: _claim,
    NETWORK_POLICIES: _policy,
}
