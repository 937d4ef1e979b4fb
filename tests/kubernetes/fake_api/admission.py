"""What may be made in a namespace: limits and their defaults, quota, and Pod Security `baseline`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from tests.kubernetes.fake_api.kinds import (
    CLAIMS,
    LIMIT_RANGES,
    NAMESPACES,
    PODS,
    QUOTAS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Object,
    Resource,
)
from tests.kubernetes.fake_api.problems import Problem, forbidden, not_found, terminating
from tests.kubernetes.fake_api.quantities import added, amount, written
from tests.kubernetes.fake_api.store import Store

Usage = dict[str, Decimal]


def admit(store: Store, resource: Resource, thing: Object) -> None:
    """Fill in what the namespace decides, and refuse what it does not take. For new objects."""
    namespace = thing["metadata"].get("namespace") or ""
    if not resource.namespaced:
        return
    found = store.find(NAMESPACES, "", namespace)
    if found is None:
        raise not_found(NAMESPACES, namespace)
    if found["metadata"].get("deletionTimestamp"):
        raise terminating(resource, thing["metadata"]["name"], namespace)
    if resource is PODS:
        _account(store, thing)
        _limit(store, thing)
        _secure(found, thing)
    _within_quota(store, resource, thing)


def _account(store: Store, pod: Object) -> None:
    namespace, name = pod["metadata"]["namespace"], pod["spec"]["serviceAccountName"]
    if store.find(SERVICE_ACCOUNTS, namespace, name) is None:
        why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise forbidden(PODS, pod["metadata"]["name"], why)


def _limit(store: Store, pod: Object) -> None:
    for limits in store.all(LIMIT_RANGES, pod["metadata"]["namespace"]):
        for rule in limits["spec"]["limits"]:
            if rule["type"] == "Container":
                for container in _containers(pod):
                    _defaults(container, rule)
                    _bounds(pod, container, rule)


def _defaults(container: Object, rule: Object) -> None:
    resources = container.setdefault("resources", {})
    for kind, key in (("requests", "defaultRequest"), ("limits", "default")):
        for name, value in (rule.get(key) or {}).items():
            resources.setdefault(kind, {}).setdefault(name, value)


def _bounds(pod: Object, container: Object, rule: Object) -> None:
    limits, requests = (container["resources"].get(kind) or {} for kind in ("limits", "requests"))
    for name, most in (rule.get("max") or {}).items():
        if name not in limits:
            raise forbidden(
                PODS,
                pod["metadata"]["name"],
                f"maximum {name} usage per Container is {most}.  No limit is specified",
            )
        if amount(limits[name]) > amount(most):
            why = f"maximum {name} usage per Container is {most}, but limit is {limits[name]}"
            raise forbidden(PODS, pod["metadata"]["name"], why)
    for name, least in (rule.get("min") or {}).items():
        if amount(requests.get(name, 0)) < amount(least):
            why = f"minimum {name} usage per Container is {least}, but request is {requests.get(name, 0)}"
            raise forbidden(PODS, pod["metadata"]["name"], why)


def _containers(pod: Object) -> list[Object]:
    return [*(pod["spec"].get("initContainers") or ()), *(pod["spec"].get("containers") or ())]


def _within_quota(store: Store, resource: Resource, thing: Object) -> None:
    namespace = thing["metadata"]["namespace"]
    asked = _usage_of(resource, thing)
    for quota in store.all(QUOTAS, namespace):
        hard = quota["spec"].get("hard") or {}
        name = quota["metadata"]["name"]
        if resource is PODS and (lacking := _unsaid(thing, hard)):
            raise forbidden(
                resource, thing["metadata"]["name"], f"failed quota: {name}: must specify {lacking}"
            )
        used = usage(store, namespace)
        over = [
            key
            for key in sorted(hard)
            if asked.get(key) and used.get(key, Decimal(0)) + asked[key] > amount(hard[key])
        ]
        if over:
            raise forbidden(resource, thing["metadata"]["name"], _exceeded(name, over, asked, used, hard))


def _exceeded(name: str, over: list[str], asked: Usage, used: Usage, hard: Object) -> str:
    """Say what would be too much, by all that the quota counts and that is over."""
    requested = ",".join(f"{key}={written(asked[key], str(hard[key]))}" for key in over)
    so_far = ",".join(f"{key}={written(used.get(key, Decimal(0)), str(hard[key]))}" for key in over)
    limited = ",".join(f"{key}={hard[key]}" for key in over)
    return f"exceeded quota: {name}, requested: {requested}, used: {so_far}, limited: {limited}"


def _unsaid(pod: Object, hard: Object) -> str:
    """Name what the quota counts and a container does not say, as `limits.memory for: web`."""
    lacking: dict[str, list[str]] = {}
    for key in sorted(hard):
        kind, _, name = key.partition(".")
        if kind not in ("limits", "requests") or name not in ("cpu", "memory"):
            continue
        names = [c["name"] for c in _containers(pod) if name not in (c["resources"].get(kind) or {})]
        if names:
            lacking[key] = names
    return "; ".join(f"{key} for: {','.join(names)}" for key, names in lacking.items())


def usage(store: Store, namespace: str) -> Usage:
    """Add up what a namespace uses of what a quota can count."""
    return added(_usage_of(resource, thing) for resource, thing in store.content(namespace))


def _usage_of(resource: Resource, thing: Object) -> Usage:
    found: Usage = {resource.plural: Decimal(1), f"count/{resource.full}": Decimal(1)}
    if resource is PODS:
        if (thing.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return {f"count/{resource.full}": Decimal(1)}
        found |= _asked_for(thing)
    elif resource is SERVICES:
        kind = thing["spec"].get("type")
        found |= {"services.loadbalancers": Decimal(kind == "LoadBalancer")}
        found |= {
            "services.nodeports": Decimal(
                len(thing["spec"].get("ports") or ()) if kind in ("NodePort", "LoadBalancer") else 0
            )
        }
    elif resource is CLAIMS:
        found["requests.storage"] = amount(
            (thing["spec"].get("resources") or {}).get("requests", {}).get("storage", 0)
        )
    return found


def _asked_for(pod: Object) -> Usage:
    """Add up what a pod asks for: containers and sidecars together, or its largest init container."""
    spec = pod["spec"]
    steps = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") != "Always"]
    stays = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    total = added(_resources(c) for c in [*stays, *(spec.get("containers") or ())])
    for step in steps:
        for key, value in _resources(step).items():
            total[key] = max(total.get(key, Decimal(0)), value)
    return total


def _resources(container: Object) -> Usage:
    found = container.get("resources") or {}
    made = {
        f"{kind}.{name}": amount(v)
        for kind in ("requests", "limits")
        for name, v in (found.get(kind) or {}).items()
    }
    return {
        **made,
        **{name: made[f"requests.{name}"] for name in ("cpu", "memory") if f"requests.{name}" in made},
    }


_CAPABILITIES = {
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP",
    "SETUID", "SYS_CHROOT",
}  # fmt: skip


def _secure(namespace: Object, pod: Object) -> None:
    level = (namespace["metadata"].get("labels") or {}).get(
        "pod-security.kubernetes.io/enforce", "privileged"
    )
    if level == "privileged":
        return
    found = list(_violations(pod))
    if found:
        raise Problem(
            403,
            "Forbidden",
            f'pods "{pod["metadata"]["name"]}" is forbidden: violates PodSecurity "{level}:latest": {", ".join(found)}',
            {"name": pod["metadata"]["name"], "kind": "pods"},
        )


def _violations(pod: Object) -> Iterator[str]:
    """Yield what breaks `baseline`, in the order of the real checks."""
    spec = pod["spec"]
    hosts = [f"{key}=true" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    if hosts:
        yield f"host namespaces ({', '.join(hosts)})"
    paths = [volume["name"] for volume in spec.get("volumes") or () if volume.get("hostPath")]
    if paths:
        yield f"hostPath volumes (volume{_s(paths)} {_quoted(paths)})"
    yield from _container_violations(_containers(pod))
    if ((spec.get("securityContext") or {}).get("seccompProfile") or {}).get("type") == "Unconfined":
        yield 'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")'


def _container_violations(containers: Iterable[Object]) -> Iterator[str]:
    listed = list(containers)
    ports = [c["name"] for c in listed if any(port.get("hostPort") for port in c.get("ports") or ())]
    if ports:
        used = [
            str(port["hostPort"]) for c in listed for port in c.get("ports") or () if port.get("hostPort")
        ]
        yield f"hostPort (container{_s(ports)} {_quoted(ports)} use{'' if len(ports) > 1 else 's'} hostPort{_s(used)} {', '.join(used)})"
    adding = [c["name"] for c in listed if _added(c) - _CAPABILITIES]
    if adding:
        extra = sorted(set().union(*(_added(c) for c in listed)) - _CAPABILITIES)
        yield (
            f"non-default capabilities (container{_s(adding)} {_quoted(adding)} must not include {_quoted(extra)} in "
            "securityContext.capabilities.add)"
        )
    privileged = [c["name"] for c in listed if (c.get("securityContext") or {}).get("privileged")]
    if privileged:
        yield f"privileged (container{_s(privileged)} {_quoted(privileged)} must not set securityContext.privileged=true)"


def _added(container: Object) -> set[str]:
    capabilities = (container.get("securityContext") or {}).get("capabilities") or {}
    return set(capabilities.get("add") or ())


def _s(listed: list[str]) -> str:
    return "s" if len(listed) > 1 else ""


def _quoted(listed: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in listed)
