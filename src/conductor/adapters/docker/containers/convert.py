"""From our words to the Docker API's: pure, so that what an engine is told can be shown and compared.

Fields: https://docs.docker.com/reference/api/engine/version/v1.41/ (ContainerCreate, NetworkCreate, VolumeCreate).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from conductor.domain.names import LABEL_INSTANCE, LABEL_KIND, LABEL_NAMESPACE, LABEL_RUN, LABEL_WORKLOAD
from conductor.domain.stack import (
    BindMount,
    FileMount,
    Healthcheck,
    Job,
    Mount,
    SecretText,
    Service,
    Stack,
    TmpfsMount,
    Volume,
    VolumeMount,
)
from conductor.errors import UsageError
from conductor.ports.engine import Place

LABEL_HEALTHCHECK = "conductor.dev/healthcheck"
"""The health check that Conductor runs, as JSON: the engine's own is switched off."""

Config = dict[str, Any]
Kind = Literal["service", "job"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineFacts:
    """What differs between engines."""

    podman: bool = False
    selinux: bool = False
    init: bool = True
    hard_limits: Mapping[str, int] | None = None
    """Above these the engine cannot start a container; None where it may raise them."""
    local: bool = False
    """It runs on this machine, under its kernel, and its files are ours to look at."""
    rootless: bool = False

    @property
    def networks_reachable(self) -> bool:
        """Whether this machine reaches containers by their own addresses."""
        return self.local and not self.rootless


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFacts:
    """What an image says about itself."""

    command: tuple[str, ...] = ()
    healthcheck: Healthcheck | None = None
    working_dir: str = "/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """How texts and paths are put: shown to people, or told to the engine."""

    text: Callable[[str | SecretText], str]
    secret: Callable[[str], str]
    source: Callable[[str], str]
    """From a path in the checkout to one on this machine."""


def shown(place: Place) -> Wording:
    """Put secrets by their names."""
    return Wording(
        text=lambda value: value if isinstance(value, str) else with_secrets(value, _by_name),
        secret=_by_name,
        source=lambda path: f"{place.checkout}/{path}",
    )


def with_secrets(text: SecretText, value: Callable[[str], str]) -> str:
    """Put a text together.

    >>> with_secrets(SecretText(parts=("redis://:", "PASSWORD", "@redis")), lambda name: "${" + name + "}")
    'redis://:${PASSWORD}@redis'
    """
    return "".join(value(part) if index % 2 else part for index, part in enumerate(text.parts))


def _by_name(name: str) -> str:
    return f"${{{name}}}"


def container_names(place: Place, service: Service) -> tuple[str, ...]:
    """Name the containers of a workload: one, or one for each replica.

    >>> container_names(Place(namespace="conductor-a", run="a"), Service(name="web", replicas=2))
    ('conductor-a-web-1', 'conductor-a-web-2')
    """
    name = f"{place.namespace}-{service.name}"
    if service.replicas == 1:
        return (name,)
    return tuple(f"{name}-{number}" for number in range(1, service.replicas + 1))


def volume_name(place: Place, volume: str) -> str:
    """Name a volume of the stack on the engine."""
    return f"{place.namespace}-{volume}"


def network_names(place: Place, stack: Stack) -> Mapping[str, str]:
    """Map each compose network in use to the engine's: one plain network is the namespace's own, several are one each."""
    used = dict.fromkeys(name for service in stack.services for name in service.networks)
    declared = [network.name for network in stack.networks]
    ordered = sorted(
        used, key=lambda name: (declared.index(name) if name in declared else len(declared), name)
    )
    if len(ordered) <= 1 and not any(network.internal for network in stack.networks if network.name in used):
        return dict.fromkeys(ordered, place.namespace)
    return {name: f"{place.namespace}-{name}" for name in ordered}


def with_stack_networks(stack: Stack, job: Job) -> Service:
    """Put a job that names no networks of its own on all of the stack's."""
    everywhere = dict.fromkeys((n for s in stack.services for n in s.networks), ()) or {"default": ()}
    named = dict(job.workload.networks) != {"default": ()}
    return job.workload if named else _on(job.workload, everywhere)


def labels(place: Place, instance: str) -> dict[str, str]:
    """Label what belongs to a namespace."""
    return {LABEL_INSTANCE: instance, LABEL_RUN: place.run, LABEL_NAMESPACE: place.namespace}


def network(place: Place, name: str, *, instance: str, internal: bool, facts: EngineFacts) -> Config:
    """Describe a bridge network.

    Podman lets networks reach each other by address unless told not to; netavark 1.4 forgets that again when any other such network of
    the machine goes (seen), so that there only names keep to their networks.
    """
    options = {"isolate": "true"} if facts.podman else {}
    return {
        "Name": name, "Driver": "bridge", "CheckDuplicate": True, "Internal": internal,
        "Labels": labels(place, instance), "Options": options,
    }  # fmt: skip


def volume(place: Place, volume: Volume, *, instance: str) -> Config:
    """Describe a named volume of the stack."""
    return {
        "Name": volume_name(place, volume.name),
        "Labels": {**_own(volume.labels), **labels(place, instance)},
    }


def container(
    place: Place,
    stack: Stack,
    service: Service,
    *,
    instance: str,
    kind: Kind,
    facts: EngineFacts,
    image: ImageFacts,
    wording: Wording,
) -> Config:
    """Describe one container of a workload, on the first of its networks, complete but for files (`copied`)."""
    entrypoint, command = _process(service, image)
    config: Config = {
        "Image": service.image,
        "Entrypoint": entrypoint,
        "Cmd": command,
        "Env": environment(service, wording),
        "WorkingDir": service.working_dir,
        "User": service.user,
        "Hostname": service.hostname,
        "Domainname": service.domainname,
        "Tty": service.tty or None,
        "OpenStdin": service.stdin_open or None,
        "StopSignal": service.stop_signal,
        "StopTimeout": math.ceil(service.stop_grace_period.total_seconds()),
        "Volumes": _anonymous_volumes(service.mounts),
        "ExposedPorts": _exposed(place, service),
        "Healthcheck": {"Test": ["NONE"]},
        "Labels": _labels(place, service, instance=instance, kind=kind, image=image),
        "HostConfig": _host(place, stack, service, facts=facts, wording=wording),
        "NetworkingConfig": {"EndpointsConfig": dict(list(endpoints(place, stack, service).items())[:1])},
    }
    return _said(config)


def environment(service: Service, wording: Wording) -> list[str]:
    """List NAME=value; a secret that the plan gives to this service wins over the compose file's value of that name."""
    variables = {name: wording.text(value) for name, value in service.environment.items()}
    variables |= {name: wording.secret(name) for name in service.secret_keys}
    return [f"{name}={value}" for name, value in variables.items()]


def endpoints(place: Place, stack: Stack, service: Service) -> Mapping[str, Config]:
    """Map the engine's networks to how the workload is known there: its name, and what aliases it has on that network."""
    names = network_names(place, stack)
    also = [name for name in (service.container_name, service.hostname) if name]
    return {
        names.get(network, place.namespace): {"Aliases": list(dict.fromkeys([service.name, *aliases, *also]))}
        for network, aliases in service.networks.items()
    }


def copied(service: Service) -> tuple[FileMount, ...]:
    """List the files that are copied into the container before it starts."""
    return tuple(m for m in service.mounts if isinstance(m, FileMount) and not is_bound(service, m))


def kept(service: Service) -> tuple[FileMount, ...]:
    """List the files that are kept beside the container and mounted: copied in they would be out of sight, or refused."""
    files = [m for m in service.mounts if isinstance(m, FileMount)]
    return tuple(m for m in files if m.source is None and is_bound(service, m))


def is_bound(service: Service, file: FileMount) -> bool:
    """Tell whether a file is mounted: the repository's own are, and all where the file system is read-only or covered by memory."""
    covered = any(
        isinstance(mount, TmpfsMount | VolumeMount | BindMount)
        and file.target.startswith(mount.target.rstrip("/") + "/")
        for mount in service.mounts
    )
    return file.source is not None or service.read_only or covered


def kept_name(service: Service, file: FileMount) -> str:
    """Name a kept file below the namespace's private folder."""
    return f"{service.name}/{service.mounts.index(file)}"


def healthcheck_of(service: Service, image: ImageFacts) -> Healthcheck | None:
    """Return the check that counts: the compose file's, else the image's, else none."""
    if service.healthcheck_disabled:
        return None
    return service.healthcheck or image.healthcheck


def published(place: Place, service: str) -> Mapping[int, int | None]:
    """Map the ports of a service that were asked for to their host ports; None is any free one.

    >>> published(Place(namespace="n", run="r", publish=("web:80=8080", "web:9000", "db:5432")), "web")
    {80: 8080, 9000: None}
    """
    ports: dict[int, int | None] = {}
    for wish in place.publish:
        name, _, rest = wish.rpartition(":")
        target, _, host = rest.partition("=")
        if not name or not target.isdigit() or (host and not host.isdigit()):
            raise UsageError(
                f"cannot read the port to publish {wish!r}",
                remedy="Write SERVICE:PORT or SERVICE:PORT=HOSTPORT.",
            )
        if name == service:
            ports[int(target)] = int(host) if host else None
    return ports


def healthcheck_json(check: Healthcheck) -> str:
    """Write a health check for the label; times in seconds."""
    return json.dumps({
        "test": check.test, "interval": check.interval.total_seconds(), "timeout": check.timeout.total_seconds(),
        "retries": check.retries, "start_period": check.start_period.total_seconds(),
        "start_interval": check.start_interval.total_seconds(),
    })  # fmt: skip


def read_healthcheck(text: str) -> Healthcheck:
    """Read what `healthcheck_json` wrote."""
    data = json.loads(text)
    times = {
        name: timedelta(seconds=data[name])
        for name in ("interval", "timeout", "start_period", "start_interval")
    }
    return Healthcheck(test=tuple(data["test"]), retries=data["retries"], **times)


def _process(service: Service, image: ImageFacts) -> tuple[list[str] | None, list[str] | None]:
    command = list(service.command) if service.command is not None else None
    if service.entrypoint is None:
        return None, command
    if service.entrypoint:
        return list(service.entrypoint), command or []
    # "None at all": Podman reads an empty list as "the image's own", so the command itself stands there.
    return command or list(image.command), []


def _on(service: Service, networks: Mapping[str, tuple[str, ...]]) -> Service:
    return replace(service, networks=networks)


def _own(given: Mapping[str, str]) -> dict[str, str]:
    """Take labels of the repository, but for those that are Conductor's word."""
    return {name: value for name, value in given.items() if not name.startswith("conductor.dev/")}


def _labels(
    place: Place, service: Service, *, instance: str, kind: Kind, image: ImageFacts
) -> dict[str, str]:
    made = {**_own(service.labels), **labels(place, instance), LABEL_WORKLOAD: service.name, LABEL_KIND: kind}
    if check := healthcheck_of(service, image):
        made[LABEL_HEALTHCHECK] = healthcheck_json(check)
    return made


def _host(place: Place, stack: Stack, service: Service, *, facts: EngineFacts, wording: Wording) -> Config:
    networks = list(endpoints(place, stack, service))
    limits = service.resources
    return _said({
        "NetworkMode": networks[0] if networks else "none",
        "Binds": _binds(place, service, facts=facts, wording=wording),
        "Tmpfs": {m.target: _tmpfs(m) for m in service.mounts if isinstance(m, TmpfsMount)},
        "Memory": limits.memory_bytes,
        "MemoryReservation": limits.reserved_memory_bytes,
        "NanoCpus": round(limits.cpus * 1e9) if limits.cpus else None,
        "PidsLimit": limits.pids,
        "ShmSize": limits.shm_bytes,
        "Ulimits": _ulimits(service.ulimits, facts),
        "RestartPolicy": {"Name": service.restart.value, "MaximumRetryCount": service.restart_attempts or 0},
        "CapAdd": list(service.cap_add),
        "CapDrop": list(service.cap_drop),
        "SecurityOpt": list(service.security_opt),
        "ReadonlyRootfs": service.read_only or None,
        "Init": service.init or None,
        "Sysctls": dict(service.sysctls),
        "ExtraHosts": [f"{host}:{address}" for host, address in service.extra_hosts.items()],
        "Dns": list(service.dns),
        "DnsSearch": list(service.dns_search),
        "GroupAdd": list(service.group_add),
        "PortBindings": {
            f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(host or "")}]
            for port, host in published(place, service.name).items()
        },
        "LogConfig": {"Type": "k8s-file" if facts.podman else "json-file"},
    })  # fmt: skip


def _binds(place: Place, service: Service, *, facts: EngineFacts, wording: Wording) -> list[str]:
    binds = []
    shared = ["z"] if facts.selinux else []
    for mount in service.mounts:
        match mount:
            case VolumeMount(volume=str() as name):
                options = [*(["ro"] if mount.read_only else []), *(["nocopy"] if mount.nocopy else [])]
                binds.append(":".join([volume_name(place, name), mount.target, *_options(options)]))
            case BindMount():
                options = [*(["ro"] if mount.read_only else []), *shared]
                binds.append(":".join([wording.source(mount.source), mount.target, *_options(options)]))
            case FileMount() if is_bound(service, mount):
                source = mount.source if mount.source is not None else f"kept:{kept_name(service, mount)}"
                binds.append(":".join([wording.source(source), mount.target, *_options(["ro", *shared])]))
            case _:
                pass
    return binds


def _options(options: list[str]) -> list[str]:
    return [",".join(options)] if options else []


def _tmpfs(mount: TmpfsMount) -> str:
    size = [f"size={mount.size_bytes}"] if mount.size_bytes is not None else []
    mode = [f"mode={mount.mode:o}"] if mount.mode is not None else []
    return ",".join([*size, *mode])


def _anonymous_volumes(mounts: tuple[Mount, ...]) -> dict[str, Config]:
    return {m.target: {} for m in mounts if isinstance(m, VolumeMount) and m.volume is None}


def _exposed(place: Place, service: Service) -> dict[str, Config]:
    declared = [f"{port.target}/{port.protocol}" for port in service.ports]
    declared += [f"{port}/tcp" for port in (*service.expose, *published(place, service.name))]
    return {port: {} for port in dict.fromkeys(declared)}


def _ulimits(wanted: Mapping[str, tuple[int, int]], facts: EngineFacts) -> list[Config]:
    """List the limits, none above the hard ones.

    Where one is named, Podman takes none of its configured defaults for the others (tried): so all are named.
    """
    most = facts.hard_limits or {}
    pairs = {**{name: (hard, hard) for name, hard in most.items()}, **wanted} if wanted else {}
    return [
        {"Name": name, "Soft": _at_most(soft, most.get(name)), "Hard": _at_most(hard, most.get(name))}
        for name, (soft, hard) in pairs.items()
    ]


def _at_most(wanted: int, most: int | None) -> int:
    """Cut a limit; -1 is without limit."""
    if most is None:
        return wanted
    return most if wanted < 0 else min(wanted, most)


def _said(config: Config) -> Config:
    """Leave out what nobody asked for: engines read an empty list as nothing in some places and as a wish in others."""
    return {
        key: value for key, value in config.items() if value is not None and (value or key in _EMPTY_MATTERS)
    }


_EMPTY_MATTERS = frozenset({"Cmd", "StopTimeout"})
