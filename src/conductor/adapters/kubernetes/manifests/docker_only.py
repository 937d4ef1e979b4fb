"""What Docker can do and a pod cannot, each with the reason."""

from __future__ import annotations

from collections.abc import Iterator

from conductor.domain.stack import Build, Service

Found = Iterator[tuple[str, str, str]]
"""Key, why it is not carried, what to do instead."""

_LEAVE_OUT = "Leave it out."
_NO_SUCH = "Kubernetes has no such limit"


def docker_only(service: Service) -> Found:
    """List what a service asks for that only a container engine knows."""
    yield from _shared(service)
    yield from _limits(service)
    yield from _built(service.build)


def _shared(service: Service) -> Found:
    shared = {"network_mode": service.network_of, "ipc": service.ipc_of, "pid": service.pid_of}
    for key, other in shared.items():
        if other is not None:
            why = f"{other} is another pod, which may be on another node"
            yield key, why, "Let them talk by name over a network."
    if service.mac_address:
        yield "mac_address", "the cluster's network gives pods their addresses", _LEAVE_OUT
    if service.volumes_from and not service.mounts:
        why = "volumes that only an image declares are not shared between pods"
        yield "volumes_from", why, "Name the volumes under `volumes:` of both services."


def _limits(service: Service) -> Found:
    asked = service.resources
    if service.ulimits:
        instead = "Set them in the image's entry point, with `ulimit`."
        yield "ulimits", "Kubernetes has no such limits", instead
    if asked.pids:
        yield "pids_limit", "the node sets it for every pod", _LEAVE_OUT
    if asked.memory_swap_bytes is not None and asked.memory_swap_bytes != asked.memory_bytes:
        yield "memswap_limit", "pods do not swap", "Leave it out, or write the same as `mem_limit`."
    if asked.memory_swappiness:
        yield "mem_swappiness", "pods do not swap", _LEAVE_OUT
    if asked.cpuset:
        yield "cpuset", _NO_SUCH, "Use `cpus`."
    if asked.block_io_weight is not None:
        yield "blkio_config.weight", _NO_SUCH, _LEAVE_OUT
    if service.oom_score_adj is not None:
        yield "oom_score_adj", "Kubernetes works it out from what is reserved", "Use `mem_reservation`."


def _built(build: Build | None) -> Found:
    if build is not None and build.shm_bytes:
        yield "build.shm_size", "images are built there by a program that knows it not", _LEAVE_OUT
    if build is not None and build.network == "none":
        yield "build.network", "all builds there share one network policy", _LEAVE_OUT
