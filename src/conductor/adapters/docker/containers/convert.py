"""From our words to the Docker API's: pure, so that what an engine is told can be shown and compared.

Fields: https://docs.docker.com/reference/api/engine/version/v1.41/ (ContainerCreate, NetworkCreate, VolumeCreate).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from conductor.adapters.docker.containers.binds import anonymous_volumes, binds, tmpfs
from conductor.adapters.docker.containers.facts import Config, EngineFacts, ImageFacts, Kind
from conductor.adapters.docker.containers.healthcheck import (
    LABEL_HEALTHCHECK,
    healthcheck_json,
    healthcheck_of,
)
from conductor.adapters.docker.containers.hooks import hook_labels
from conductor.adapters.docker.containers.naming import LABEL_DEPENDS_ON, container_names, labels, own_labels
from conductor.adapters.docker.containers.networks import endpoints, exposed, published
from conductor.adapters.docker.containers.wording import Wording
from conductor.domain.names import LABEL_KIND, LABEL_WORKLOAD
from conductor.domain.stack import Service, Stack, TmpfsMount
from conductor.ports.engine import Place


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
        "MacAddress": service.mac_address,
        "Tty": service.tty or None,
        "OpenStdin": service.stdin_open or None,
        "StopSignal": service.stop_signal,
        "StopTimeout": math.ceil(service.stop_grace_period.total_seconds()),
        "Volumes": anonymous_volumes(service.mounts),
        "ExposedPorts": exposed(place, service),
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


def _process(service: Service, image: ImageFacts) -> tuple[list[str] | None, list[str] | None]:
    command = list(service.command) if service.command is not None else None
    if service.entrypoint is None:
        return None, command
    if service.entrypoint:
        return list(service.entrypoint), command or []
    # "None at all": Podman reads an empty list as "the image's own", so the command itself stands there.
    return command or list(image.command), []


def _labels(
    place: Place, service: Service, *, instance: str, kind: Kind, image: ImageFacts
) -> dict[str, str]:
    made = {
        **own_labels(service.labels),
        **labels(place, instance),
        LABEL_WORKLOAD: service.name,
        LABEL_KIND: kind,
    }
    if service.depends_on:
        made[LABEL_DEPENDS_ON] = ",".join(dependency.service for dependency in service.depends_on)
    if check := healthcheck_of(service, image):
        made[LABEL_HEALTHCHECK] = healthcheck_json(check)
    return {**made, **hook_labels(service.post_start, service.pre_stop)}


def _host(place: Place, stack: Stack, service: Service, *, facts: EngineFacts, wording: Wording) -> Config:
    networks = list(endpoints(place, stack, service))
    limits = service.resources
    return _said({
        "NetworkMode": networks[0] if networks else "none",
        **_shared(place, stack, service),
        "Binds": binds(place, service, facts=facts, wording=wording),
        "Tmpfs": {m.target: tmpfs(m) for m in service.mounts if isinstance(m, TmpfsMount)},
        "Memory": limits.memory_bytes,
        "MemoryReservation": limits.reserved_memory_bytes,
        "NanoCpus": round(limits.cpus * 1e9) if limits.cpus else None,
        "PidsLimit": limits.pids,
        "ShmSize": limits.shm_bytes,
        **_fine_limits(service),
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
        "DnsOptions": list(service.dns_options),
        "Annotations": dict(service.annotations),
        "GroupAdd": list(service.group_add),
        "PortBindings": {
            f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(host or "")}]
            for port, host in published(place, service.name).items()
        },
        "LogConfig": {"Type": "k8s-file" if facts.podman else "json-file"},
    })  # fmt: skip


def _shared(place: Place, stack: Stack, service: Service) -> Config:
    """Name the containers whose network, memory segments, processes and mounts it shares."""

    def container_of(name: str) -> str:
        return container_names(place, stack.service(name))[0]

    modes = {"NetworkMode": service.network_of, "IpcMode": service.ipc_of, "PidMode": service.pid_of}
    made: Config = {key: f"container:{container_of(other)}" for key, other in modes.items() if other}
    if service.ipc_shareable:
        made["IpcMode"] = "shareable"
    made["VolumesFrom"] = [
        container_of(other.service) + (":ro" if other.read_only else "") for other in service.volumes_from
    ]
    return made


def _fine_limits(service: Service) -> Config:
    limits = service.resources
    return {
        "MemorySwap": limits.memory_swap_bytes,
        "MemorySwappiness": limits.memory_swappiness,
        "CpuShares": limits.cpu_shares,
        "CpusetCpus": limits.cpuset,
        "BlkioWeight": limits.block_io_weight,
        "OomScoreAdj": service.oom_score_adj,
    }


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


_EMPTY_MATTERS = frozenset({"Cmd", "StopTimeout", "MemorySwappiness"})
