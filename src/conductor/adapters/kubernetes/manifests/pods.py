"""A service as a pod, and what keeps it.

What is always there is a Deployment, or a StatefulSet where it holds volumes: then no second pod starts before the first is known to be
gone (a StatefulSet names the hosts of its pods itself, so not where the file does). What may end is a Job. None of them runs an old and
a new pod side by side.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from conductor.adapters.kubernetes.manifests import hosts, preparation
from conductor.adapters.kubernetes.manifests.containers import container, image, number_of, pull_policy
from conductor.adapters.kubernetes.manifests.kube_names import is_dns_name
from conductor.adapters.kubernetes.manifests.layout import Layout
from conductor.adapters.kubernetes.manifests.lifecycle import needs_tools
from conductor.adapters.kubernetes.manifests.network import pod_labels, service_name
from conductor.adapters.kubernetes.manifests.site import Manifest
from conductor.adapters.kubernetes.manifests.volumes import Piece, pieces
from conductor.domain.stack import Restart, Service

TRIES = 100
"""How often a service that says `restart: on-failure` without a number starts again in its pod; Conductor gives up earlier."""
LABEL_GROUP = "conductor.dev/together"
_NODES = {"x86_64": "amd64", "aarch64": "arm64", "armhf": "arm", "armel": "arm", "i386": "386"}
"""Docker's other words for machines."""


def controller(layout: Layout, service: Service, labels: Mapping[str, str]) -> Manifest:
    """Make what keeps the pods of a service. The caller adds its name and place."""
    if service.restart not in (Restart.ALWAYS, Restart.UNLESS_STOPPED):
        return _service_job(layout, service, labels)
    if layout.claims(service) and not service.hostname:
        return _stateful_set(layout, service, labels)
    return _deployment(layout, service, labels)


def _deployment(layout: Layout, service: Service, labels: Mapping[str, str]) -> Manifest:
    spec: Manifest = {
        "replicas": service.replicas,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": dict(labels)},
        "template": template(layout, service, labels, restart="Always"),
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}


def _stateful_set(layout: Layout, service: Service, labels: Mapping[str, str]) -> Manifest:
    """Make a StatefulSet over claims that stand beside it: as with Compose, all replicas mount the same ones."""
    spec: Manifest = {
        "replicas": service.replicas,
        "serviceName": service_name(service.name),
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": dict(labels)},
        "template": template(layout, service, labels, restart="Always"),
    }
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": spec}


def _service_job(layout: Layout, service: Service, labels: Mapping[str, str]) -> Manifest:
    """Make a Job: its pods end when the service ends. One that the cluster takes away is made again; only its own exit counts.

    Several replicas end on their own: each is an index, and the failure of one leaves the others running. One with a number of tries
    gets a pod for each: a Job that restarts within a pod deletes that at its limit, and the last exit code with it.
    """
    spec: Manifest = {"parallelism": service.replicas, "completions": max(1, service.replicas)}
    is_single = service.replicas <= 1
    tries = (service.restart_attempts or TRIES) if service.restart is Restart.ON_FAILURE else 0
    if tries and is_single and not service.restart_attempts:
        spec["backoffLimit"] = tries
        spec["template"] = template(layout, service, labels, restart="OnFailure")
        return {"apiVersion": "batch/v1", "kind": "Job", "spec": spec}
    spec |= {} if is_single else {"completionMode": "Indexed"}
    spec["backoffLimit" if is_single else "backoffLimitPerIndex"] = tries
    spec["podFailurePolicy"] = {"rules": [{"action": "Ignore", "onPodConditions": [_taken_away()]}]}
    spec["template"] = template(layout, service, labels, restart="Never")
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": spec}


def _taken_away() -> Manifest:
    """Return the condition of a pod that the cluster took away."""
    return {"type": "DisruptionTarget", "status": "True"}


def template(
    layout: Layout, service: Service, labels: Mapping[str, str], *, restart: str, findable: bool = True
) -> Manifest:
    """Make the pod's template. `findable` is whether the stack's names lead to it."""
    group = layout.together.get(service.name)
    own = {LABEL_GROUP: group} if group else {}
    metadata: Manifest = {"labels": {**labels, **own, **pod_labels(service, findable=findable)}}
    if remarks := compose_remarks(labels=service.labels, annotations=service.annotations):
        metadata["annotations"] = remarks
    return {"metadata": metadata, "spec": _pod(layout, service, restart)}


def compose_remarks(**given: Mapping[str, str]) -> Manifest:
    """Keep the file's labels and annotations as text: some words there would mean something to the cluster."""
    return {
        f"conductor.dev/compose-{kind}": json.dumps(dict(words), sort_keys=True)
        for kind, words in given.items()
        if words
    }


def _pod(layout: Layout, service: Service, restart: str) -> Manifest:
    mounted = pieces(layout, service)
    tools = needs_tools(service)
    helpers = preparation.init_containers(
        mounted,
        tools_image=layout.site.tools_image,
        image=image(service),
        pull=pull_policy(service),
        tools_needed=tools,
    )
    mounts: list[Manifest] = [{"name": piece.name, **piece.where} for piece in mounted]
    mounts += [preparation.tools_mount()] if tools else []
    names = hosts.sidecar(layout, service)
    mounts += [hosts.mount()] if names else []
    made: Manifest = {
        "restartPolicy": restart,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": max(1, math.ceil(service.stop_grace_period.total_seconds())),
        "securityContext": _security(service),
        "imagePullSecrets": [{"name": name} for name in layout.site.pull_secrets],
        "initContainers": [*helpers, *names],
        "containers": [container(service, mounts)],
        "volumes": [
            *_volumes(mounted),
            *preparation.tools_volume(helpers, tools_needed=tools),
            *([hosts.volume()] if names else []),
        ],
        "hostAliases": hosts.host_aliases(service),
        "nodeSelector": _node(service),
        "affinity": _beside(layout.together.get(service.name)),
        "dnsConfig": _dns(service),
    }
    if service.hostname and is_dns_name(service.hostname):
        made["hostname"] = service.hostname.lower()
    if service.init:
        made["shareProcessNamespace"] = True
    return {key: value for key, value in made.items() if value not in ({}, [])}


def _volumes(mounted: list[Piece]) -> list[Manifest]:
    named = {piece.name: piece.volume for piece in mounted}
    named |= {str(volume["name"]): volume for volume in preparation.source_volumes(mounted)}
    return list(named.values())


def _security(service: Service) -> Manifest:
    made: Manifest = {"seccompProfile": {"type": "RuntimeDefault"}}
    if groups := [number for group in service.group_add if (number := number_of(group)) is not None]:
        made["supplementalGroups"] = groups
    if service.sysctls:
        made["sysctls"] = [{"name": name, "value": value} for name, value in service.sysctls.items()]
    return made


def _node(service: Service) -> Manifest:
    system, _, rest = (service.platform or "").lower().partition("/")
    machine = rest.partition("/")[0]
    chosen = {"kubernetes.io/os": system, "kubernetes.io/arch": _NODES.get(machine, machine)}
    return {label: value for label, value in chosen.items() if value}


def _beside(group: str | None) -> Manifest:
    """Keep the pods that share a volume on one node: most volumes can be there only once."""
    if group is None:
        return {}
    term = {
        "labelSelector": {"matchLabels": {LABEL_GROUP: group}},
        "topologyKey": "kubernetes.io/hostname",
    }
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def _dns(service: Service) -> Manifest:
    options = [
        dict(zip(("name", "value"), option.split(":", 1), strict=False)) for option in service.dns_options
    ]
    made = {"searches": list(service.dns_search), "options": options}
    return {key: value for key, value in made.items() if value}
