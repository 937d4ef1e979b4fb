"""Pod Security Standards, told from a pod: what breaks `baseline`, and what breaks `restricted`.

https://kubernetes.io/docs/concepts/security/pod-security-standards/ (v1.37)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
CAPABILITIES = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
    "SETPCAP", "SETUID", "SYS_CHROOT",
})  # fmt: skip
SYSCTLS = frozenset({
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat",
})  # fmt: skip
SELINUX_TYPES = (None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
VOLUMES = frozenset({
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret", "image",
})  # fmt: skip


def breaks(level: str, pod: Mapping[str, Any]) -> list[str]:
    """List what of a pod (or pod template) breaks `baseline` or `restricted`; empty is good."""
    found = list(_baseline(pod))
    if level == "restricted":
        found += _restricted(pod["spec"])
    return found


def _containers(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        each
        for kind in ("initContainers", "containers", "ephemeralContainers")
        for each in spec.get(kind) or ()
    ]


def _contexts(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    own = [each.get("securityContext") or {} for each in _containers(spec)]
    return [spec.get("securityContext") or {}, *own]


def _baseline(pod: Mapping[str, Any]) -> Iterator[str]:
    spec = pod["spec"]
    yield from (word for word in ("hostNetwork", "hostPID", "hostIPC") if spec.get(word))
    yield from ("hostPath" for volume in spec.get("volumes") or () if "hostPath" in volume)
    for context in _contexts(spec):
        yield from _baseline_context(context)
    for container in _containers(spec):
        yield from _baseline_container(container, user_namespace=spec.get("hostUsers") is False)
    for key, value in ((pod.get("metadata") or {}).get("annotations") or {}).items():
        if key.startswith(APPARMOR) and value != "runtime/default" and not value.startswith("localhost/"):
            yield "AppArmor"
    for sysctl in (spec.get("securityContext") or {}).get("sysctls") or ():
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']}"


def _baseline_context(context: Mapping[str, Any]) -> Iterator[str]:
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield "hostProcess"
    selinux = context.get("seLinuxOptions") or {}
    if selinux.get("type") not in SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield "seLinuxOptions"
    if (context.get("seccompProfile") or {}).get("type") == "Unconfined":
        yield "seccompProfile"
    if (context.get("appArmorProfile") or {}).get("type") == "Unconfined":
        yield "AppArmor"


def _baseline_container(container: Mapping[str, Any], *, user_namespace: bool) -> Iterator[str]:
    context = container.get("securityContext") or {}
    if context.get("privileged"):
        yield "privileged"
    if context.get("procMount") not in (None, "Default") and not user_namespace:
        yield "procMount"
    added = set((context.get("capabilities") or {}).get("add") or ())
    yield from (f"capability {name}" for name in sorted(added - CAPABILITIES))
    yield from ("hostPort" for port in container.get("ports") or () if port.get("hostPort"))
    lifecycle = container.get("lifecycle") or {}
    probes = [container.get(name) for name in ("livenessProbe", "readinessProbe", "startupProbe")]
    for handler in (*probes, lifecycle.get("postStart"), lifecycle.get("preStop")):
        for kind in ("httpGet", "tcpSocket"):
            if ((handler or {}).get(kind) or {}).get("host"):
                yield "a probe or hook of another host"


def _restricted(spec: Mapping[str, Any]) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        if set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume['name']}"
    windows = (spec.get("os") or {}).get("name") == "windows"
    of_pod = spec.get("securityContext") or {}
    if of_pod.get("runAsUser") == 0:
        yield "runAsUser 0"
    for container in _containers(spec):
        context = container.get("securityContext") or {}
        yield from _unprivileged(context, of_pod, windows=windows)
        if context.get("procMount") not in (None, "Default"):
            yield "procMount"


def _unprivileged(context: Mapping[str, Any], of_pod: Mapping[str, Any], *, windows: bool) -> Iterator[str]:
    if not context.get("runAsNonRoot", of_pod.get("runAsNonRoot")):
        yield "runAsNonRoot"
    if context.get("runAsUser") == 0:
        yield "runAsUser 0"
    if windows:
        return
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    capabilities = context.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        yield "capabilities are not dropped"
    yield from (f"capability {name}" for name in capabilities.get("add") or () if name != "NET_BIND_SERVICE")
    seccomp = context.get("seccompProfile") or of_pod.get("seccompProfile") or {}
    if seccomp.get("type") not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile"
