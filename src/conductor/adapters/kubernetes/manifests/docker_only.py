"""What Docker can do and a pod cannot, each with the reason."""

from __future__ import annotations

from collections.abc import Iterator

from conductor.domain.stack import Build, Service, Stack, TmpfsMount

Found = Iterator[tuple[str, str, str]]
"""Key, why it is not carried, what to do instead."""

_LEAVE_OUT = "Leave it out."
_ONE_POD = "every service is a pod of its own, and shares nothing but volumes"
_OWNED = ("uid=", "gid=", "nr_inodes=", "nr_blocks=")


def docker_only(service: Service) -> Found:
    """List what a service asks for that only a container engine knows."""
    yield from _shared(service)
    yield from _tuned(service)
    yield from _run_beside(service)
    yield from _built(service.build)
    for number, mount in enumerate(service.mounts):
        if isinstance(mount, TmpfsMount) and any(option.startswith(_OWNED) for option in mount.options):
            instead = "Leave these options out."
            yield f"volumes[{number}]", "memory folders take no owner and no counts in Kubernetes", instead


def docker_only_networks(stack: Stack) -> Found:
    """List what the networks of a stack ask for, by their names."""
    for network in stack.networks:
        if network.ipv6:
            why = "whether pods have IPv6 addresses is the cluster's choice"
            yield f"{network.name}.enable_ipv6", why, _LEAVE_OUT


def _shared(service: Service) -> Found:
    if service.network_of:
        yield "network_mode", _ONE_POD, "Let it find the other service by name."
    elif not service.networks:
        yield (
            "network_mode",
            "a pod always has a network",
            "Put it on a network of its own with `internal: true`.",
        )
    if service.ipc_of:
        yield "ipc", _ONE_POD, _LEAVE_OUT
    if service.pid_of:
        yield "pid", _ONE_POD, _LEAVE_OUT
    shared = {mount.target for mount in service.mounts}
    if service.volumes_from and not shared:
        why = "volumes that only an image declares are not shared between pods"
        yield "volumes_from", why, "Name the volumes under `volumes:` of both services."


def _tuned(service: Service) -> Found:
    limits = service.resources
    asked = {
        "cpu_shares": limits.cpu_shares,
        "cpuset": limits.cpuset,
        "mem_swappiness": limits.memory_swappiness,
        "blkio_config.weight": limits.block_io_weight,
        "oom_score_adj": service.oom_score_adj,
    }
    for key, value in asked.items():
        if value is not None:
            yield key, "a kubelet works it out from requests and limits", "Use `deploy.resources`."
    if limits.memory_swap_bytes not in (None, limits.memory_bytes):
        yield "memswap_limit", "pods have no swap", "Make it equal to `mem_limit`, or leave it out."
    if service.mac_address:
        yield "mac_address", "the cluster's network gives pods their addresses", _LEAVE_OUT


def _run_beside(service: Service) -> Found:
    if service.healthcheck is not None and not service.healthcheck.test and not service.healthcheck_disabled:
        yield "healthcheck", "the image's own check is not known to Kubernetes", "Write the `test`."
    for kind in ("post_start", "pre_stop"):
        if getattr(service, kind):
            yield kind, "hooks are not carried yet", "Do it in the entrypoint, or on the stop signal."
    if service.dns_options:
        yield "dns_opt", "it is not carried yet", _LEAVE_OUT
    if service.annotations:
        yield "annotations", "they are not carried yet", "Use `labels`."


def _built(build: Build | None) -> Found:
    asked = (
        {"extra_hosts": build.extra_hosts, "shm_size": build.shm_bytes, "ulimits": build.ulimits}
        if build
        else {}
    )
    for key, value in asked.items():
        if value:
            yield f"build.{key}", "images are built there by a program that knows it not", _LEAVE_OUT
