"""What these manifests do not carry, each with the reason: said before anything starts, never dropped in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from conductor.adapters.kubernetes.manifests.containers import forbids_new_privileges
from conductor.adapters.kubernetes.manifests.docker_only import docker_only, docker_only_networks
from conductor.adapters.kubernetes.manifests.kube_names import is_dns_name, kube_name
from conductor.adapters.kubernetes.manifests.volumes import LARGEST_BYTES, Files, contents_of
from conductor.domain.account import Entry, Treatment
from conductor.domain.stack import BindMount, FileMount, Job, Service, Stack, TmpfsMount, VolumeMount

BASELINE_CAPABILITIES = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
    "SETPCAP", "SETUID", "SYS_CHROOT",
})  # fmt: skip
"""What Pod Security `baseline` lets a container add."""
BASELINE_SYSCTLS = frozenset({
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes",
})  # fmt: skip
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")

Found = Iterator[tuple[str, str, str]]
"""Key, why it is not carried, what to do instead."""


def unsupported(stack: Stack, jobs: Sequence[Job] = (), *, files: Files | None = None) -> tuple[Entry, ...]:
    """List what of this stack Kubernetes, or these manifests so far, cannot do. `files` as for `render`. Pure."""
    files = files or {}
    entries: list[Entry] = []
    for service in stack.services:
        entries += [_entry(f"services.{service.name}", *found) for found in _service(service, files)]
    for job in jobs:
        entries += [
            _entry(f"tests.{job.suite}", *found) for found in (*_service(job.workload, files), *_job(job))
        ]
    entries += [_entry("networks", *found) for found in docker_only_networks(stack)]
    return (*entries, *_same_names(stack, jobs))


def _entry(owner: str, key: str, why: str, instead: str) -> Entry:
    path = f"{owner}.{key}" if key else owner
    return Entry(file="", line=0, path=path, treatment=Treatment.REFUSED, why=why, instead=instead)


def _service(service: Service, files: Files) -> Found:
    yield from _names(service)
    yield from _process(service)
    yield from _security(service)
    yield from _limits(service)
    yield from _mounts(service, files)
    yield from docker_only(service)


def _names(service: Service) -> Found:
    for name in service.dns_names:
        if not is_dns_name(name):
            instead = "Use small letters, digits and `-`, starting with a letter, 63 at most."
            yield "", f"neighbours could not find it as {name!r}: Kubernetes makes no such DNS name", instead
    if service.domainname:
        yield "domainname", "pods have the namespace's domain", "Give it a network alias."
    if service.dns:
        yield "dns", "other name servers would hide the stack's own names", "Leave it out."
    if "host-gateway" in service.extra_hosts.values():
        yield "extra_hosts", "there is no host behind a pod", "Name the address, or run it as a service."


def _process(service: Service) -> Found:
    if service.entrypoint == () and not service.command:
        yield "entrypoint", "an image's entry point cannot be taken away alone", "Say `command` too."
    elif service.command == () and not service.entrypoint:
        yield "command", "an image's command cannot be taken away alone", "Say `entrypoint` too."
    for name in service.environment:
        if not _VARIABLE.fullmatch(name):
            yield (
                f"environment.{name}",
                "Kubernetes takes no variable of this name",
                "Use letters, digits and `_`.",
            )
    if service.stop_signal not in (None, "SIGTERM", "TERM", "15"):
        yield (
            "stop_signal",
            "a pod is stopped by SIGTERM or what its image names",
            "Say STOPSIGNAL in the Dockerfile.",
        )
    if service.user and not re.fullmatch(r"\d+(:\d+)?", service.user, re.ASCII):
        yield "user", "a pod's user and group are numbers", f"Write the number of {service.user!r}."
    if any(not group.isdecimal() for group in service.group_add):
        yield "group_add", "a pod's groups are numbers", "Write the numbers."


def _security(service: Service) -> Found:
    for name in service.cap_add:
        if name.upper().removeprefix("CAP_") not in BASELINE_CAPABILITIES:
            yield "cap_add", f"Pod Security `baseline` does not let a container have {name}", "Do without it."
    others = [o for o in service.security_opt if not o.startswith("no-new-privileges")]
    if others or (service.security_opt and not forbids_new_privileges(service)):
        yield "security_opt", "of these, only no-new-privileges is carried", "Leave the others out."
    for name in service.sysctls:
        if name not in BASELINE_SYSCTLS:
            yield f"sysctls.{name}", "Pod Security `baseline` does not let a pod set it", "Do without it."


def _limits(service: Service) -> Found:
    if service.ulimits:
        yield "ulimits", "Kubernetes has no such limits", "Set them in the image's entry point."
    if service.resources.pids:
        yield "pids_limit", "the node sets it for every pod", "Leave it out."
    named = [m for m in service.mounts if isinstance(m, VolumeMount) and m.volume]
    if service.replicas > 1 and named:
        yield (
            "deploy.replicas",
            "one claim cannot be mounted on several nodes",
            "Use one replica, or no named volume.",
        )


def _mounts(service: Service, files: Files) -> Found:
    size = 0
    for number, mount in enumerate(service.mounts):
        key = f"volumes[{number}]"
        if isinstance(mount, TmpfsMount) and mount.mode is not None:
            yield key, "memory folders have the mode 0777 in Kubernetes", "Leave the mode out."
        if not isinstance(mount, BindMount | FileMount):
            continue
        if isinstance(mount, FileMount) and (mount.uid, mount.gid) != (None, None):
            yield key, "files of a ConfigMap belong to root", "Leave uid and gid out."
        if isinstance(mount, FileMount) and mount.content is not None and not isinstance(mount.content, str):
            yield key, "a file with secrets in it is not carried yet", "Give the secret as a variable."
            continue
        contents = contents_of(mount, files)
        if contents is None:
            yield (
                key,
                f"{mount.source!r} is no file of the checkout that is at hand",
                "Put it into the image.",
            )
        size += sum(map(len, (contents or {}).values()))
    if size > LARGEST_BYTES:
        yield "volumes", f"mounted files of {size} bytes do not fit a ConfigMap", "Put them into the image."


def _job(job: Job) -> Found:
    if job.reports or job.artifacts:
        yield (
            "reports",
            "reports and artifacts are not collected from Kubernetes yet",
            "Use the docker engine.",
        )


def _same_names(stack: Stack, jobs: Sequence[Job]) -> Iterator[Entry]:
    names = {kube_name(service.name) for service in stack.services}
    for job in jobs:
        if kube_name(job.workload.name) in names:
            why = f"a service is called {job.workload.name!r} too"
            yield _entry(f"tests.{job.suite}", "name", why, "Give the suite another name.")
