"""One service as a container: command, variables, probes, limits, security.

Kubernetes replaces `$(NAME)` and `$$` in commands and variables, Compose does not: so literal text is escaped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from conductor.adapters.kubernetes.manifests.kube_names import kube_name, secret_name
from conductor.adapters.kubernetes.manifests.site import DEFAULT_CPUS, DEFAULT_MEMORY_BYTES, Manifest
from conductor.domain.stack import Healthcheck, Resources, SecretText, Service

NEVER = 1_000_000
"""Failures after which a startup probe gives up. A kubelet would kill the container then, Compose never does: Conductor judges."""
SMALL_CPUS = 0.05
SMALL_MEMORY_BYTES = 64 * 1024**2
_PULL = {"missing": "IfNotPresent", "always": "Always", "never": "Never"}
_HELPER = "CONDUCTOR_SECRET_"


def container(service: Service, mounts: list[Manifest]) -> Manifest:
    """Make the container of a service or of a job's workload."""
    made: Manifest = {
        "name": kube_name(service.name),
        "image": service.image or unbuilt_image(service.name),
        "imagePullPolicy": _PULL[service.pull_policy],
        **_command(service),
        "env": list(_variables(service)),
        "ports": _ports(service),
        "resources": _resources(service.resources),
        "securityContext": _security(service),
        "volumeMounts": mounts,
        **_probes(service),
    }
    if service.working_dir:
        made["workingDir"] = service.working_dir
    if service.tty:
        made["tty"] = True
    if service.stdin_open:
        made["stdin"] = True
    return {key: value for key, value in made.items() if value not in ({}, [])}


def unbuilt_image(name: str) -> str:
    """Name the image of a service that is not built yet, so that its manifest can be shown."""
    return f"conductor.invalid/not-built/{kube_name(name)}:none"


def escaped(text: str) -> str:
    """Escape what Kubernetes would replace.

    >>> escaped("$(date) $HOME $$")
    '$$(date) $HOME $$$'
    """
    return re.sub(r"\$(?=[$(])", "$$", text)


def _command(service: Service) -> Manifest:
    """Translate: Compose's entrypoint is Kubernetes' command, and Compose's command is its args.

    An entrypoint of nothing cannot be said in Kubernetes: then the command itself takes its place.
    """
    entrypoint, command = service.entrypoint, service.command
    if entrypoint == ():
        entrypoint, command = command, None
    made: Manifest = {}
    if entrypoint:
        made["command"] = [escaped(part) for part in entrypoint]
    if command:
        made["args"] = [escaped(part) for part in command]
    return made


def _variables(service: Service) -> Iterator[Manifest]:
    """Yield secrets first: `$(NAME)` sees only what stands before it. What the service sets itself wins."""
    for key in service.secret_keys:
        if key not in service.environment:
            yield _from_secret(key, key, service)
    texts = [v for v in service.environment.values() if isinstance(v, SecretText) and not _is_one_secret(v)]
    for name in dict.fromkeys(name for text in texts for name in text.names):
        yield _from_secret(f"{_HELPER}{name}", name, service)
    for name, value in service.environment.items():
        if isinstance(value, str):
            yield {"name": name, "value": escaped(value)}
        elif _is_one_secret(value):
            yield _from_secret(name, value.names[0], service)
        else:
            yield {"name": name, "value": _expanded(value)}


def _is_one_secret(text: SecretText) -> bool:
    return len(text.names) == 1 and not any(text.parts[::2])


def _expanded(text: SecretText) -> str:
    parts = [escaped(p) if i % 2 == 0 else f"$({_HELPER}{p})" for i, p in enumerate(text.parts)]
    return "".join(parts)


def _from_secret(variable: str, key: str, service: Service) -> Manifest:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret_name(service.name), "key": key}}}


def _ports(service: Service) -> list[Manifest]:
    declared = [(port.target, port.protocol.upper()) for port in service.ports]
    declared += [(port, "TCP") for port in service.expose]
    return [{"containerPort": port, "protocol": protocol} for port, protocol in dict.fromkeys(declared)]


def _probes(service: Service) -> Manifest:
    check = service.healthcheck
    if check is None or service.healthcheck_disabled or check.test[:1] in ((), ("NONE",)):
        return {}
    return {
        "startupProbe": _probe(check, check.start_interval.total_seconds(), NEVER),
        "readinessProbe": _probe(check, check.interval.total_seconds(), check.retries),
    }


def _probe(check: Healthcheck, every: float, failures: int) -> Manifest:
    shell = check.test[0] == "CMD-SHELL"
    command = ["/bin/sh", "-c", check.test[1]] if shell else list(check.test[1:])
    return {
        "exec": {"command": command},
        "periodSeconds": max(1, math.ceil(every)),
        "timeoutSeconds": max(1, math.ceil(check.timeout.total_seconds())),
        "failureThreshold": max(1, failures),
    }


def _resources(asked: Resources) -> Manifest:
    """Write limits and requests: a limit without a request would reserve all of it, so each brings a small one.

    A request without a limit brings one too: the namespace's default might be less than what is asked for.
    """
    limits: Manifest = {}
    requests: Manifest = {}
    if cpus := asked.cpus or (asked.reserved_cpus and max(asked.reserved_cpus, DEFAULT_CPUS)):
        limits["cpu"] = _cpu(cpus)
        requests["cpu"] = _cpu(asked.reserved_cpus or min(cpus, SMALL_CPUS))
    reserved = asked.reserved_memory_bytes
    if memory := asked.memory_bytes or (reserved and max(reserved, DEFAULT_MEMORY_BYTES)):
        limits["memory"] = str(memory)
        requests["memory"] = str(reserved or min(memory, SMALL_MEMORY_BYTES))
    return {key: value for key, value in (("limits", limits), ("requests", requests)) if value}


def _cpu(cpus: float) -> str:
    return f"{max(1, round(cpus * 1000))}m"


def _security(service: Service) -> Manifest:
    made: Manifest = {}
    user, _, group = (service.user or "").partition(":")
    if user.isdecimal():
        made["runAsUser"] = int(user)
    if group.isdecimal():
        made["runAsGroup"] = int(group)
    capabilities = {"add": _capabilities(service.cap_add), "drop": _capabilities(service.cap_drop)}
    if any(capabilities.values()):
        made["capabilities"] = {key: value for key, value in capabilities.items() if value}
    if service.read_only:
        made["readOnlyRootFilesystem"] = True
    if forbids_new_privileges(service):
        made["allowPrivilegeEscalation"] = False
    return made


def forbids_new_privileges(service: Service) -> bool:
    """Tell whether `no-new-privileges` is on."""
    return any(
        o in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true")
        for o in service.security_opt
    )


def _capabilities(names: tuple[str, ...]) -> list[str]:
    return [name.upper().removeprefix("CAP_") for name in names]
