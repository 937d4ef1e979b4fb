"""What these manifests do not carry, each with the reason: said before anything starts, never dropped in silence.

Law: what Pod Security `baseline` forbids is refused here, so that what is rendered passes it. Limits of Kubernetes are said with what to do
instead; a difference that would change what the stack does is a refusal.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence

from conductor.adapters.kubernetes.manifests.binds import LARGEST_BYTES
from conductor.adapters.kubernetes.manifests.containers import (
    added_capabilities,
    forbids_new_privileges,
    number_of,
)
from conductor.adapters.kubernetes.manifests.docker_only import Found, docker_only
from conductor.adapters.kubernetes.manifests.hosts import HOSTS, can_be_written, needs_names, odd_names
from conductor.adapters.kubernetes.manifests.kube_names import is_dns_name, is_host_name, kube_name
from conductor.adapters.kubernetes.manifests.network import names_on, service_name
from conductor.adapters.kubernetes.manifests.preparation import HELPERS
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.adapters.kubernetes.manifests.test_job import COLLECTOR
from conductor.domain.account import Entry, Treatment
from conductor.domain.stack import (
    Condition,
    FileMount,
    Job,
    Restart,
    SecretText,
    Service,
    Stack,
    TmpfsMount,
    VolumeMount,
)

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
LONGEST_TEXT_BYTES = 128 * 1024 - 64
"""Of a variable: Linux takes no longer argument."""
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_SIGNAL = re.compile(r"(SIG)?[A-Z][A-Z0-9+-]*|\d+")
_OWNER = re.compile(r"(uid|gid)=\d+|r[ow]|exec|noexec|nosuid|nodev")
_MOST_SEARCHES = 29
"""Kubernetes takes 32, and has three of its own."""


def unsupported(stack: Stack, jobs: Sequence[Job] = (), *, site: Site | None = None) -> tuple[Entry, ...]:
    """List what of this stack Kubernetes, or these manifests so far, cannot do. Pure."""
    site = site or Site()
    entries: list[Entry] = []
    for service in stack.services:
        found = (*_service(service), *_dependencies(service, stack), *_hosts_file(service, stack))
        entries += [_entry(f"services.{service.name}", *each) for each in found]
    for network in stack.networks:
        if network.ipv6 and not site.dual_stack:
            why, instead = (
                "this cluster's pods have addresses of one kind",
                "Leave it out, or use a dual-stack cluster.",
            )
            entries.append(_entry(f"networks.{network.name}", "enable_ipv6", why, instead))
    for job in jobs:
        entries += [_entry(f"tests.{job.suite}", *each) for each in _service(job.workload)]
    return (*entries, *_same_names(stack, jobs), *_names_of_several(stack))


def _entry(owner: str, key: str, why: str, instead: str) -> Entry:
    path = f"{owner}.{key}" if key else owner
    return Entry(file="", line=0, path=path, treatment=Treatment.REFUSED, why=why, instead=instead)


def _service(service: Service) -> Found:
    yield from _names(service)
    yield from _process(service)
    yield from _user(service)
    yield from _health(service)
    yield from _security(service)
    yield from _mounts(service)
    yield from docker_only(service)


def _names(service: Service) -> Found:
    if kube_name(service.name) in (*HELPERS, COLLECTOR):
        yield "", "containers of Conductor's own are called so", "Give the service another name."
    for name in service.dns_names:
        if not is_dns_name(name) and not can_be_written(name):
            instead = "Use letters, digits, `.`, `_` and `-`."
            yield "", f"neighbours could not find it as {name!r}: it is no name of a host", instead
    if service.hostname and (
        not is_dns_name(service.hostname) or service.hostname != service.hostname.lower()
    ):
        instead = "Use small letters, digits and `-`; a network alias may have others."
        yield "hostname", f"a pod cannot be called {service.hostname!r}", instead
    elif service.hostname and service.replicas > 1 and service.restart in (Restart.NO, Restart.ON_FAILURE):
        yield "hostname", "several pods that may end are numbered by Kubernetes", "Leave it out."
    if service.domainname:
        yield "domainname", "pods have the namespace's domain", "Give it a network alias."
    yield from _dns(service)


def _dns(service: Service) -> Found:
    if service.dns:
        yield "dns", "other name servers would hide the stack's own names", "Leave it out."
    searches = service.dns_search
    if len(searches) > _MOST_SEARCHES or any(not is_host_name(name.rstrip(".")) for name in searches):
        yield "dns_search", "Kubernetes takes no such domain", "Name domains in small letters, 29 at most."
    for host, address in service.extra_hosts.items():
        if not _is_address(address):
            instead = "Name the address, or run it as a service."
            yield f"extra_hosts.{host}", f"there is no host {address!r} behind a pod", instead
        elif not is_host_name(host) and not can_be_written(host):
            yield f"extra_hosts.{host}", "it is no name of a host", "Use letters, digits, `.`, `_` and `-`."


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _process(service: Service) -> Found:
    if service.entrypoint == () and not service.command:
        yield "entrypoint", "an image's entry point cannot be taken away alone", "Say `command` too."
    elif service.command == () and not service.entrypoint:
        yield "command", "an image's command cannot be taken away alone", "Say `entrypoint` too."
    for name in service.environment:
        if not _VARIABLE.fullmatch(name) or name == "." or name.startswith(".."):
            yield (
                f"environment.{name}",
                "Kubernetes takes no variable of this name",
                "Use letters, digits and `_`.",
            )
    yield from _stop(service)
    for key, hooks in (("post_start", service.post_start), ("pre_stop", service.pre_stop)):
        for number, hook in enumerate(hooks):
            if hook.user is not None and hook.user != service.user:
                yield f"{key}[{number}].user", "a hook runs as the container's user", "Leave `user` out."
            if any(isinstance(value, SecretText) for value in hook.environment.values()):
                instead = "Give the secret to the service: its hooks see its variables."
                yield f"{key}[{number}].environment", "a hook has no secrets of its own", instead


def _stop(service: Service) -> Found:
    if service.stop_signal and not _SIGNAL.fullmatch(service.stop_signal.upper()):
        yield "stop_signal", "it is no signal", "Write one as SIGINT."


def _user(service: Service) -> Found:
    user, sign, group = (service.user or "").partition(":")
    if (user and number_of(user) is None) or (sign and number_of(group) is None):
        instead = f"Write the number of {service.user!r}: `docker run IMAGE id` tells it."
        yield "user", "a pod's user and group are numbers, and only the image knows this name's", instead
    if any(number_of(name) is None for name in service.group_add):
        yield "group_add", "a pod's groups are numbers", "Write the numbers."


def _health(service: Service) -> Found:
    check = service.healthcheck
    if check is not None and not check.test and not service.healthcheck_disabled:
        instead = "Write the `test` that the image has: `docker image inspect` shows it."
        yield "healthcheck", "Kubernetes does not look at an image's own health check", instead


def _dependencies(service: Service, stack: Stack) -> Found:
    """Say where a dependency waits for a health that nobody looks at."""
    services = {other.name: other for other in stack.services}
    for dependency in service.depends_on:
        other = services.get(dependency.service)
        if other is None or dependency.condition is not Condition.HEALTHY:
            continue
        if other.healthcheck is None or other.healthcheck_disabled:
            why = f"{other.name} has no `healthcheck` in the file, and Kubernetes does not look at an image's own"
            yield f"depends_on.{other.name}.condition", why, f"Write the `healthcheck` of {other.name}."


def _hosts_file(service: Service, stack: Stack) -> Found:
    """Say where the file mounts a hosts file of its own, and some names are served by ours."""
    for number, mount in enumerate(service.mounts):
        if mount.target == HOSTS and needs_names(stack, service):
            odd = ", ".join(odd_names(stack, service)) or "the names of `extra_hosts`"
            why = f"only a hosts file can serve {odd} there, and this mount hides it"
            yield (
                f"volumes[{number}]",
                why,
                "Use names of small letters, digits and `-`, or leave the mount out.",
            )


def _security(service: Service) -> Found:
    for name in added_capabilities(service):
        if name not in BASELINE_CAPABILITIES:
            yield "cap_add", f"Pod Security `baseline` does not let a container have {name}", "Do without it."
    others = [o for o in service.security_opt if not o.startswith("no-new-privileges")]
    if others or (service.security_opt and not forbids_new_privileges(service)):
        yield "security_opt", "of these, only no-new-privileges is carried", "Leave the others out."
    for name in service.sysctls:
        if name not in BASELINE_SYSCTLS:
            yield f"sysctls.{name}", "Pod Security `baseline` does not let a pod set it", "Do without it."


def _mounts(service: Service) -> Found:
    for number, mount in enumerate(service.mounts):
        key = f"volumes[{number}]"
        if ":" in mount.target:
            yield key, "Kubernetes mounts nothing at a path with a colon", "Mount it elsewhere."
        if isinstance(mount, TmpfsMount):
            for option in mount.options:
                if not _OWNER.fullmatch(option):
                    yield key, f"memory folders have no option {option!r}", "Leave it out."
        if isinstance(mount, VolumeMount) and mount.subpath and ".." in mount.subpath.split("/"):
            yield key, "a part of a volume lies inside it", "Name a folder of the volume."
        yield from _texts(mount, key) if isinstance(mount, FileMount) else ()
    yield from _twice(service)


def _texts(mount: FileMount, key: str) -> Found:
    text = mount.content
    if isinstance(text, str) and len(text.encode()) > LARGEST_BYTES:
        yield key, f"a ConfigMap holds {LARGEST_BYTES} bytes", "Commit it as a file, and name that."
    if isinstance(text, SecretText) and sum(map(len, text.parts[::2])) > LONGEST_TEXT_BYTES:
        yield (
            key,
            f"a text with secrets in it has {LONGEST_TEXT_BYTES} bytes at most",
            "Give the secret alone.",
        )


def _twice(service: Service) -> Found:
    """Say where two mounts have one target: Kubernetes takes none of them."""
    targets: dict[str, int] = {}
    for number, mount in enumerate(service.mounts):
        if targets.setdefault(mount.target, number) != number:
            yield (
                f"volumes[{number}]",
                f"something else is mounted at {mount.target} too",
                "Leave one of them out.",
            )
    if service.resources.shm_bytes and "/dev/shm" in targets:  # noqa: S108 -- the container's, not ours
        yield "shm_size", "something else is mounted at /dev/shm too", "Give that mount the size."


def _same_names(stack: Stack, jobs: Sequence[Job]) -> Iterator[Entry]:
    names = {kube_name(service.name) for service in stack.services}
    for job in jobs:
        if kube_name(job.workload.name) in names:
            why = f"a service is called {job.workload.name!r} too"
            yield _entry(f"tests.{job.suite}", "name", why, "Give the suite another name.")


def _names_of_several(stack: Stack) -> Iterator[Entry]:
    """Refuse a name that means one service here and another there: in Kubernetes it leads to all that bear it."""
    bearers: dict[str, list[Service]] = {}
    for service in stack.services:
        for name in dict.fromkeys(service_name(name) for name in service.dns_names):
            bearers.setdefault(name, []).append(service)
    for name, several in bearers.items():
        if len(several) > 1 and not _is_one_thing(name, several, stack.services):
            shown = ", ".join(service.name for service in several)
            why = f"which of {shown} is meant by {name!r} depends on the network, and Kubernetes has one name for all"
            yield _entry(f"services.{several[-1].name}", "networks", why, "Give each a name of its own.")


def _is_one_thing(name: str, several: Sequence[Service], all_services: Iterable[Service]) -> bool:
    """Tell whether each service sees all of them under the name, or none."""
    seen = [
        [any(name in map(service_name, names_on(other, net)) for net in one.networks) for other in several]
        for one in all_services
    ]
    return all(all(each) or not any(each) for each in seen)
