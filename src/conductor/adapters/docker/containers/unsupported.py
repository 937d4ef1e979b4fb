"""What the docker engine cannot do of what is asked: said before anything starts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from conductor.adapters.docker.containers.facts import EngineFacts
from conductor.adapters.docker.containers.hooks import needs_secrets
from conductor.domain.account import Entry, Treatment
from conductor.domain.stack import BindMount, FileMount, Job, Service, Stack, VolumeMount

CATATONIT = (
    "/usr/libexec/podman/catatonit",
    "/usr/local/libexec/podman/catatonit",
    "/usr/lib/podman/catatonit",
    "/usr/bin/catatonit",
)


def unsupported(stack: Stack, jobs: Sequence[Job], *, facts: EngineFacts | None) -> tuple[Entry, ...]:
    """List every wish that cannot be fulfilled; `facts` None is an engine that nobody has asked yet."""
    can_init = facts.init if facts else has_init()
    workloads = [(f"services.{service.name}", service) for service in stack.services]
    workloads += [(f"tests.{job.workload.name}", job.workload) for job in jobs]
    own = [entry for path, service in workloads for entry in _of(path, service, can_init=can_init)]
    return (*own, *(_no_ipv6(network.name) for network in stack.networks if network.ipv6))


def _no_ipv6(network: str) -> Entry:
    return _refused(
        f"networks.{network}.enable_ipv6",
        "networks of runs have IPv4 addresses on this engine",
        "Leave it out: names are found by IPv4.",
    )


def has_init() -> bool:
    """Tell whether the engine of this machine can be an init process: Docker always, Podman with catatonit."""
    docker = Path("/var/run/docker.sock").exists()
    return docker or any(Path(place).exists() for place in CATATONIT) or shutil.which("podman") is None


def _of(path: str, service: Service, *, can_init: bool) -> Iterator[Entry]:
    if service.init and not can_init:
        yield _refused(
            f"{path}.init",
            "Podman needs the program catatonit for it",
            "Install catatonit, or leave `init` out.",
        )
    for key, hooks in (("post_start", service.post_start), ("pre_stop", service.pre_stop)):
        if any(needs_secrets(hook) for hook in hooks):
            yield _refused(
                f"{path}.{key}",
                "whoever stops or wakes a kept stack has no values of secrets at hand",
                "Give the secret to the service, whose variables a hook sees too.",
            )
    for index, mount in enumerate(service.mounts):
        at = f"{path}.volumes[{index}]"
        if isinstance(mount, VolumeMount) and mount.subpath:
            yield _refused(
                at, "a part of a volume cannot be mounted by every engine", "Mount the whole volume."
            )
        source = mount.source or "" if isinstance(mount, BindMount | FileMount) else ""
        if ":" in mount.target + source:
            yield _refused(
                at, "the Docker API cannot mount a path with a colon in it", "Mount a path without a colon."
            )


def _refused(path: str, why: str, instead: str) -> Entry:
    return Entry(file="", line=0, path=path, treatment=Treatment.REFUSED, why=why, instead=instead)
