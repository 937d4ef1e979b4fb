"""One service as a container: command, variables, ports, limits, security."""

from __future__ import annotations

import re

from conductor.adapters.kubernetes.manifests.kube_names import kube_name
from conductor.adapters.kubernetes.manifests.lifecycle import lifecycle
from conductor.adapters.kubernetes.manifests.probes import probes
from conductor.adapters.kubernetes.manifests.secrets import escaped, variables
from conductor.adapters.kubernetes.manifests.site import DEFAULT_CPUS, DEFAULT_MEMORY_BYTES, Manifest
from conductor.domain.stack import Port, Resources, Service

SMALL_CPUS = 0.05
SMALL_MEMORY_BYTES = 64 * 1024**2
USUAL_SHARES = 1024
"""Docker's weight of a container whose file names none."""
USUAL_CAPABILITIES = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID",
    "SETPCAP", "SETUID", "SYS_CHROOT",
})  # fmt: skip
"""What runtimes give every container."""
_PULL = {"missing": "IfNotPresent", "always": "Always", "never": "Never"}
_PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?")


def container(service: Service, mounts: list[Manifest]) -> Manifest:
    """Make the container of a service or of a job's workload."""
    made: Manifest = {
        "name": kube_name(service.name),
        "image": image(service),
        "imagePullPolicy": pull_policy(service),
        **_command(service),
        "env": list(variables(service)),
        "ports": _ports(service),
        "resources": _resources(service.resources),
        "securityContext": _security(service),
        "volumeMounts": mounts,
        **probes(service),
        **lifecycle(service),
    }
    if service.working_dir:
        made["workingDir"] = service.working_dir
    if service.tty:
        made["tty"] = True
    if service.stdin_open:
        made["stdin"] = True
    return {key: value for key, value in made.items() if value not in ({}, [])}


def image(service: Service) -> str:
    """Return the image that runs; for one that is not built yet a name that shows it, so that its manifest can be shown."""
    return service.image or f"conductor.invalid/not-built/{kube_name(service.name)}:none"


def pull_policy(service: Service) -> str:
    """Return Kubernetes' word for when to pull."""
    return _PULL[service.pull_policy]


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


def _ports(service: Service) -> list[Manifest]:
    """Declare ports; a name that Kubernetes takes is kept, once."""
    declared = [*service.ports, *(Port(target=port) for port in service.expose)]
    made: dict[tuple[int, str], Manifest] = {}
    taken: set[str] = set()
    for port in declared:
        key = (port.target, port.protocol.upper())
        if key not in made:
            made[key] = {"containerPort": port.target, "protocol": key[1]}
            if port.name and _PORT_NAME.fullmatch(port.name) and port.name not in taken:
                taken.add(port.name)
                made[key]["name"] = port.name
    return list(made.values())


def _resources(asked: Resources) -> Manifest:
    """Write limits and requests: a limit without a request would reserve all of it, so each brings a small one.

    A request without a limit brings one too: the namespace's default might be less than what is asked for. A weight against other
    containers is a request in proportion.
    """
    limits: Manifest = {}
    requests: Manifest = {}
    small = SMALL_CPUS * (asked.cpu_shares or USUAL_SHARES) / USUAL_SHARES
    if asked.cpu_shares:
        requests["cpu"] = _cpu(small)
    if cpus := asked.cpus or (asked.reserved_cpus and max(asked.reserved_cpus, DEFAULT_CPUS)):
        limits["cpu"] = _cpu(cpus)
        requests["cpu"] = _cpu(asked.reserved_cpus or min(cpus, small))
    reserved = asked.reserved_memory_bytes
    if memory := asked.memory_bytes or (reserved and max(reserved, DEFAULT_MEMORY_BYTES)):
        limits["memory"] = str(memory)
        requests["memory"] = str(reserved or min(memory, SMALL_MEMORY_BYTES))
    return {key: value for key, value in (("limits", limits), ("requests", requests)) if value}


def _cpu(cpus: float) -> str:
    return f"{max(1, round(cpus * 1000))}m"


def _security(service: Service) -> Manifest:
    made: Manifest = {}
    user, group = user_and_group(service.user or "")
    if user is not None:
        made["runAsUser"] = user
    if user:
        made["runAsNonRoot"] = True
    if group is not None:
        made["runAsGroup"] = group
    capabilities = {"add": added_capabilities(service), "drop": _capabilities(service.cap_drop)}
    if any(capabilities.values()):
        made["capabilities"] = {key: value for key, value in capabilities.items() if value}
    if service.read_only:
        made["readOnlyRootFilesystem"] = True
    if forbids_new_privileges(service):
        made["allowPrivilegeEscalation"] = False
    return made


def user_and_group(text: str) -> tuple[int | None, int | None]:
    """Read `USER:GROUP` in numbers; root is 0 in every image.

    >>> user_and_group("1000:root"), user_and_group("node")
    ((1000, 0), (None, None))
    """
    user, _, group = text.partition(":")
    return number_of(user), number_of(group)


def number_of(name: str) -> int | None:
    """Return the number of a user or group, where it can be known without the image."""
    if name == "root":
        return 0
    return int(name) if name.isascii() and name.isdecimal() else None


def forbids_new_privileges(service: Service) -> bool:
    """Tell whether `no-new-privileges` is on."""
    return any(
        o in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true")
        for o in service.security_opt
    )


def added_capabilities(service: Service) -> list[str]:
    """List what is added, but for what a container has anyway: Pod Security counts only what is said."""
    dropped = set(_capabilities(service.cap_drop))
    own = set() if "ALL" in dropped else USUAL_CAPABILITIES - dropped
    return [name for name in _capabilities(service.cap_add) if name not in own]


def _capabilities(names: tuple[str, ...]) -> list[str]:
    return [name.upper().removeprefix("CAP_") for name in names]
