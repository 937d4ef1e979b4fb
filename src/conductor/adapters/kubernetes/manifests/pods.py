"""A service as a pod, and what keeps it: a Deployment for what is always there, a Job for what may end, a Job for a test suite."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from conductor.adapters.kubernetes.manifests.containers import container
from conductor.adapters.kubernetes.manifests.kube_names import is_dns_name
from conductor.adapters.kubernetes.manifests.network import pod_labels
from conductor.adapters.kubernetes.manifests.site import Manifest
from conductor.adapters.kubernetes.manifests.volumes import Files, volumes
from conductor.domain.stack import Job, Restart, Service

TRIES = 100
"""How often a Job whose service says `restart: on-failure` without a number starts again; Conductor gives up earlier."""


def controller(service: Service, labels: Mapping[str, str], files: Files) -> Manifest:
    """Make what keeps the pods of a service. The caller adds its name and place."""
    if service.restart in (Restart.ALWAYS, Restart.UNLESS_STOPPED):
        return _deployment(service, labels, files)
    return _service_job(service, labels, files)


def _deployment(service: Service, labels: Mapping[str, str], files: Files) -> Manifest:
    spec: Manifest = {
        "replicas": service.replicas,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": dict(labels)},
        "template": _template(service, labels, files, restart="Always"),
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}


def _service_job(service: Service, labels: Mapping[str, str], files: Files) -> Manifest:
    """Make a Job: its pod ends when the service ends. One that the cluster takes away is made again; only its own exit counts."""
    spec: Manifest = {"parallelism": service.replicas, "completions": service.replicas}
    if service.restart is Restart.ON_FAILURE:
        spec["backoffLimit"] = TRIES if service.restart_attempts is None else service.restart_attempts
        spec["template"] = _template(service, labels, files, restart="OnFailure")
    else:
        spec["backoffLimit"] = 0
        spec["podFailurePolicy"] = {"rules": [{"action": "Ignore", "onPodConditions": [_taken_away()]}]}
        spec["template"] = _template(service, labels, files, restart="Never")
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": spec}


def test_job(job: Job, labels: Mapping[str, str], files: Files) -> Manifest:
    """Make the Job of a suite. It runs once; its time limit is the pod's, since a Job's would take the pod and its log away."""
    template = _template(job.workload, labels, files, restart="Never", findable=False)
    pod = template["spec"]
    assert isinstance(pod, dict)  # noqa: S101 -- made below
    pod["activeDeadlineSeconds"] = max(1, math.ceil(job.time_limit.total_seconds()))
    rules = [{"action": "FailJob", "onPodConditions": [_taken_away()]}]
    spec: Manifest = {"backoffLimit": 0, "podFailurePolicy": {"rules": rules}, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": spec}


test_job.__test__ = False  # type: ignore[attr-defined]  # no test, whatever its name says


def _taken_away() -> Manifest:
    return {"type": "DisruptionTarget", "status": "True"}


def _template(
    service: Service, labels: Mapping[str, str], files: Files, *, restart: str, findable: bool = True
) -> Manifest:
    metadata: Manifest = {"labels": {**labels, **pod_labels(service, findable=findable)}}
    if service.labels:
        metadata["annotations"] = {
            "conductor.dev/compose-labels": json.dumps(dict(service.labels), sort_keys=True)
        }
    return {"metadata": metadata, "spec": _pod(service, files, restart)}


def _pod(service: Service, files: Files, restart: str) -> Manifest:
    inside, mounts = volumes(service, files)
    made: Manifest = {
        "restartPolicy": restart,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": math.ceil(service.stop_grace_period.total_seconds()),
        "securityContext": _security(service),
        "containers": [container(service, mounts)],
        "volumes": inside,
        "hostAliases": _host_aliases(service),
        "nodeSelector": _node(service),
    }
    if service.hostname and is_dns_name(service.hostname):
        made["hostname"] = service.hostname.lower()
    if service.init:
        made["shareProcessNamespace"] = True
    if service.dns_search:
        made["dnsConfig"] = {"searches": list(service.dns_search)}
    return {key: value for key, value in made.items() if value not in ({}, [])}


def _security(service: Service) -> Manifest:
    made: Manifest = {"seccompProfile": {"type": "RuntimeDefault"}}
    if groups := [int(group) for group in service.group_add if group.isdecimal()]:
        made["supplementalGroups"] = groups
    if service.sysctls:
        made["sysctls"] = [{"name": name, "value": value} for name, value in service.sysctls.items()]
    return made


def _host_aliases(service: Service) -> list[Manifest]:
    by_address: dict[str, list[str]] = {}
    for host, address in service.extra_hosts.items():
        by_address.setdefault(address, []).append(host)
    return [{"ip": address, "hostnames": hosts} for address, hosts in by_address.items()]


def _node(service: Service) -> Manifest:
    system, _, rest = (service.platform or "").partition("/")
    chosen = {"kubernetes.io/os": system, "kubernetes.io/arch": rest.partition("/")[0]}
    return {label: value for label, value in chosen.items() if value}
