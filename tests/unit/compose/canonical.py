"""One form for what Compose reads out of a file and for what we read out of it: plain data, every key of it.

`theirs` takes keys away as it reads them, so that what it does not know is left over and seen.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from conductor.compose.unsupported import NOTES
from conductor.domain.stack import (
    BindMount,
    Build,
    FileMount,
    Healthcheck,
    Hook,
    Mount,
    Service,
    Stack,
    TmpfsMount,
)

Json = Any
TIMES = {"interval": 30.0, "timeout": 30.0, "start_period": 0.0, "start_interval": 5.0, "retries": 3}


def seconds(text: str | None) -> float | None:
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
    found = re.findall(r"([\d.]+)(ms|us|µs|ns|h|m|s)", text or "")
    return round(sum(float(count) * units[unit] for count, unit in found), 6) if text is not None else None


def ours(stack: Stack) -> Json:
    """Return our stack as plain data."""
    shared = {other.service for service in stack.services for other in service.volumes_from}
    return {
        "services": {service.name: our_service(service, shared) for service in stack.services},
        "networks": {
            n.name: {"internal": n.internal, "enable_ipv6": n.ipv6}
            for n in stack.networks
            if n.name != "bridge"
        },
        "volumes": {v.name: dict(v.labels) for v in stack.volumes if not re.search(r"-volume-\d+$", v.name)},
    }


def our_service(service: Service, shared: set[str]) -> Json:
    limits = service.resources
    return {
        "annotations": dict(service.annotations),
        "build": our_build(service.build),
        "cap_add": sorted(service.cap_add),
        "cap_drop": sorted(service.cap_drop),
        "command": None if service.command is None else list(service.command),
        "container_name": service.container_name,
        "depends_on": {d.service: (str(d.condition), d.required, d.restart) for d in service.depends_on},
        "dns": list(service.dns),
        "dns_opt": list(service.dns_options),
        "dns_search": list(service.dns_search),
        "domainname": service.domainname,
        "entrypoint": None if service.entrypoint is None else list(service.entrypoint),
        "environment": dict(service.environment),
        "expose": sorted(service.expose),
        "extra_hosts": dict(service.extra_hosts),
        "files": sorted((our_file(m) for m in service.mounts if isinstance(m, FileMount)), key=str),
        "group_add": list(service.group_add),
        "healthcheck": our_health(service.healthcheck, disabled=service.healthcheck_disabled),
        "hostname": service.hostname,
        "image": service.image,
        "init": service.init,
        "ipc": (service.ipc_of, service.ipc_shareable),
        "labels": dict(service.labels),
        "limits": {
            "blkio": limits.block_io_weight, "cpus": limits.cpus, "cpuset": limits.cpuset, "memory": limits.memory_bytes,
            "pids": limits.pids, "reserved cpus": limits.reserved_cpus, "reserved memory": limits.reserved_memory_bytes,
            "shares": limits.cpu_shares, "shm": limits.shm_bytes, "swap": limits.memory_swap_bytes,
            "swappiness": limits.memory_swappiness,
        },
        "mac_address": service.mac_address,
        "mounts": sorted((our_mount(m, shared) for m in service.mounts if not isinstance(m, FileMount)), key=str),
        "network_mode": service.network_of,
        "networks": {name: sorted(aliases) for name, aliases in service.networks.items()},
        "oom_score_adj": service.oom_score_adj,
        "pid": service.pid_of,
        "platform": service.platform,
        "ports": sorted(((p.target, p.protocol, p.published, p.name) for p in service.ports), key=str),
        "post_start": [our_hook(hook) for hook in service.post_start],
        "pre_stop": [our_hook(hook) for hook in service.pre_stop],
        "profiles": list(service.profiles),
        "pull_policy": service.pull_policy,
        "read_only": service.read_only,
        "replicas": service.replicas,
        "restart": (str(service.restart), service.restart_attempts),
        "security_opt": list(service.security_opt),
        "stdin_open": service.stdin_open,
        "stop_grace_period": service.stop_grace_period.total_seconds(),
        "stop_signal": service.stop_signal,
        "sysctls": dict(service.sysctls),
        "tty": service.tty,
        "ulimits": {name: tuple(limit) for name, limit in service.ulimits.items()},
        "user": service.user,
        "volumes_from": [(other.service, other.read_only) for other in service.volumes_from],
        "working_dir": service.working_dir,
    }  # fmt: skip


def our_build(build: Build | None) -> Json:
    return build and {
        "args": dict(build.args), "context": build.context, "dockerfile": build.dockerfile_inline or build.dockerfile,
        "labels": dict(build.labels), "network": build.network,
        "no_cache": build.no_cache, "platform": build.platform, "pull": build.pull, "shm": build.shm_bytes,
        "target": build.target,
    }  # fmt: skip


def our_health(check: Healthcheck | None, *, disabled: bool) -> Json:
    if disabled or check is None:
        return "disabled" if disabled else None
    times = {name: getattr(check, name) for name in TIMES}
    return {
        "test": list(check.test),
        "open": sorted(check.inherited),
        **{name: time if isinstance(time, int) else time.total_seconds() for name, time in times.items()},
    }


def our_file(file: FileMount) -> Json:
    return file.target, file.source, file.content, file.mode, file.uid, file.gid


def our_mount(mount: Mount, shared: set[str]) -> Json:
    match mount:
        case BindMount():
            return "bind", mount.source, mount.target, mount.read_only, mount.create
        case TmpfsMount():
            return "tmpfs", mount.target, mount.size_bytes, mount.mode, sorted(mount.options)
        case FileMount():
            raise AssertionError("files are told apart")
    made_up = any(re.fullmatch(rf"{name}-volume-\d+", mount.volume or "") for name in shared)
    return (
        "volume",
        None if made_up else mount.volume,
        mount.target,
        mount.read_only,
        mount.subpath,
        mount.nocopy,
    )


def our_hook(hook: Hook) -> Json:
    return list(hook.command), hook.user, dict(hook.environment), hook.working_dir


class Theirs:
    """The project as Compose prints it, read and taken apart."""

    def __init__(self, project: Mapping[str, Any], folder: Path) -> None:
        self.folder = folder
        self.project = deepcopy(dict(project))
        self.services: dict[str, dict[str, Any]] = self.project["services"]
        self.shared = {
            name.split(":")[0] for s in self.services.values() for name in s.get("volumes_from") or ()
        }
        self.aliases: dict[str, list[str]] = {}
        for service in self.services.values():
            for link in service.pop("links", []):
                target, _, alias = link.partition(":")
                self.aliases.setdefault(target, []).extend([alias] if alias not in ("", target) else [])

    def canonical(self) -> Json:
        networks = self.project.pop("networks", None) or {}
        volumes = self.project.get("volumes") or {}
        used = [name for service in self.services.values() for name in service.get("networks") or ()]
        services = {name: self.service(name, service) for name, service in self.services.items()}
        mounted = [
            m[1] for service in services.values() for m in service["mounts"] if m[0] == "volume" and m[1]
        ]
        for name in services:
            self.share(name, services, ())
        return {
            "services": services,
            "networks": {
                name: {key: bool(networks[name].pop(key, False)) for key in ("internal", "enable_ipv6")}
                for name in set(used)
            },
            "volumes": {name: (volumes[name] or {}).pop("labels", {}) for name in set(mounted)},
        }

    def service(self, name: str, s: dict[str, Any]) -> Json:
        deploy = s.get("deploy") or {}
        build = s.pop("build", None)
        image = s.pop("image", None)
        platform = s.pop("platform", None)
        known_as = self.aliases.get(name, [])
        networks, mode = s.pop("networks", None) or {}, s.pop("network_mode", "")
        return {
            "annotations": s.pop("annotations", {}),
            "build": self.build(deepcopy(build), platform) if build else None,
            "cap_add": sorted(set(s.pop("cap_add", []))),
            "cap_drop": sorted(set(s.pop("cap_drop", []))),
            "command": s.pop("command"),
            "container_name": s.pop("container_name", None),
            "depends_on": {
                other: (d.pop("condition"), d.pop("required"), d.pop("restart", False))
                for other, d in (s.get("depends_on") or {}).items()
                if other in self.services
            },
            "dns": s.pop("dns", []),
            "dns_opt": s.pop("dns_opt", []),
            "dns_search": s.pop("dns_search", []),
            "domainname": s.pop("domainname", None),
            "entrypoint": s.pop("entrypoint"),
            "environment": {k: v for k, v in (s.pop("environment", None) or {}).items() if v is not None},
            "expose": sorted(port for text in s.get("expose", []) if not text.endswith("/udp") for port in _range(text)),
            "extra_hosts": dict(text.split("=", 1) for text in s.pop("extra_hosts", [])),
            "files": sorted(self.files(s), key=str),
            "group_add": s.pop("group_add", []),
            "healthcheck": _health(s.pop("healthcheck", None)),
            "hostname": s.pop("hostname", None),
            "image": None if build else image,
            "init": s.pop("init", False),
            "ipc": _ipc(s.pop("ipc", "")),
            "labels": s.pop("labels", {}),
            "limits": _limits(s, deploy.get("resources") or {}),
            "mac_address": s.pop("mac_address", None) or next(
                (on.pop("mac_address") for on in networks.values() if on and "mac_address" in on), None
            ),
            "mounts": sorted((self.mount(m) for m in [*s.pop("volumes", []), *map(_memory, s.pop("tmpfs", []))]), key=str),
            "network_mode": _of(mode),
            "networks": {net: sorted({*(on or {}).pop("aliases", []), *known_as}) for net, on in networks.items()}
            | ({"bridge": sorted(known_as)} if mode in ("bridge", "default") else {}),
            "oom_score_adj": s.pop("oom_score_adj", None),
            "pid": _of(s.pop("pid", "")),
            "platform": platform,
            "ports": sorted({*map(_port, s.get("ports", [])), *_exposed_udp(s.pop("expose", []))}, key=str),
            "post_start": [_hook(hook) for hook in s.get("post_start", [])],
            "pre_stop": [_hook(hook) for hook in s.get("pre_stop", [])],
            "profiles": s.pop("profiles", []),
            "pull_policy": _pull(s.pop("pull_policy", "missing")),
            "read_only": s.pop("read_only", False),
            "replicas": s.pop("scale", deploy.pop("replicas", 1)),
            "restart": _restart(s.pop("restart", None), deploy.get("restart_policy")),
            "security_opt": ["no-new-privileges:true" for _ in s.pop("security_opt", [])],
            "stdin_open": s.pop("stdin_open", False),
            "stop_grace_period": seconds(s.pop("stop_grace_period", "10s")),
            "stop_signal": s.pop("stop_signal", None),
            "sysctls": s.pop("sysctls", {}),
            "tty": s.pop("tty", False),
            "ulimits": _ulimits(s.pop("ulimits", {})),
            "user": s.pop("user", None),
            "volumes_from": [(text.split(":")[0], text.endswith(":ro")) for text in s.pop("volumes_from", [])],
            "working_dir": s.pop("working_dir", None),
        }  # fmt: skip

    def share(self, name: str, services: Json, way: tuple[str, ...]) -> None:
        """Add what `volumes_from` brings: all but memory and written text, where nothing of its own is mounted."""
        own = services[name]
        for other, read_only in own["volumes_from"] if name not in way else ():
            self.share(other, services, (*way, name))
            taken = {mount[2] for mount in own["mounts"]} | {file[0] for file in own["files"]}
            brought = [m for m in services[other]["mounts"] if m[0] != "tmpfs" and m[2] not in taken]
            own["mounts"] += [(*m[:3], read_only or m[3], *m[4:]) for m in brought]
            own["files"] += [f for f in services[other]["files"] if f[1] is not None and f[0] not in taken]
        own["mounts"].sort(key=str)
        own["files"].sort(key=str)

    def inside(self, path: str) -> str:
        return os.path.relpath(path, self.folder)

    def build(self, b: dict[str, Any], platform: str | None) -> Json:
        inline, dockerfile = b.pop("dockerfile_inline", None), b.pop("dockerfile", "Dockerfile")
        platforms = b.pop("platforms", [])
        folder = b.pop("context")
        b.pop("tags", None)
        made = {
            "args": {key: value for key, value in (b.pop("args", None) or {}).items() if value is not None},
            "context": self.inside(folder),
            "dockerfile": inline or self.inside(str(Path(folder) / dockerfile)),
            "labels": b.pop("labels", {}),
            "network": b.pop("network", None),
            "no_cache": b.pop("no_cache", False),
            "platform": platform or (platforms[0] if len(platforms) == 1 else None),
            "pull": b.pop("pull", False),
            "shm": int(b.pop("shm_size", 0)) or None,
            "target": b.pop("target", None),
        }
        return made | {f"left {key}": value for key, value in _left(b, "services.*.build")}

    def files(self, s: dict[str, Any]) -> Iterator[Json]:
        for section, root in (("configs", "/"), ("secrets", "/run/secrets/")):
            for item in s.get(section) or []:
                source = item.pop("source")
                declared = self.project[section][source]
                text = declared.get("content")
                if "environment" in declared:
                    lines = (self.folder / ".env").read_text().splitlines()
                    text = dict(line.split("=", 1) for line in lines)[declared["environment"]]
                target = os.path.normpath(Path(root) / (item.pop("target", None) or source))
                mode, uid, gid = (item.pop(key, None) for key in ("mode", "uid", "gid"))
                yield (
                    target,
                    self.inside(declared["file"]) if "file" in declared else None,
                    text,
                    int(mode, 8) if mode else 0o444,
                    int(uid) if uid else None,
                    int(gid) if gid else None,
                )

    def mount(self, m: dict[str, Any]) -> Json:
        kind, source, target = m["type"], m.get("source"), os.path.normpath(m["target"])
        declared = (self.project.get("volumes") or {}).get(source) or {}
        options = declared.get("driver_opts") or {}
        read_only = m.get("read_only", False)
        if kind == "bind":
            return (
                "bind",
                self.inside(source),
                target,
                read_only,
                (m.get("bind") or {}).get("create_host_path", False),
            )
        if kind == "tmpfs":
            own = m.get("tmpfs") or {}
            return (
                "tmpfs",
                target,
                int(own.get("size", 0)) or None,
                own.get("mode"),
                sorted(own.get("options", [])),
            )
        if options.get("o") == "bind" and str(options["device"]).startswith(str(self.folder)):
            return "bind", self.inside(options["device"]), target, read_only, False
        volume = m.get("volume") or {}
        return "volume", source, target, read_only, volume.get("subpath"), volume.get("nocopy", False)


def left_over(theirs: Theirs) -> Iterator[str]:
    """Name what was printed by Compose and compared with nothing."""
    for name, service in theirs.services.items():
        for key in ("volumes", "configs", "secrets", "depends_on"):
            service.pop(key, None)
        yield from (
            f"services.{name}.{key}: {value!r} is compared with nothing"
            for key, value in _left(service, "services.*")
        )


def _left(data: Mapping[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        known = (
            f"{place}.{key}" in NOTES or key.startswith("x-") or key in ("ports", "post_start", "pre_stop")
        )
        if value in (None, {}, [], False, "") or known:
            continue
        if isinstance(value, dict):
            yield from ((f"{key}.{below}", rest) for below, rest in _left(value, f"{place}.{key}"))
        else:
            yield key, value


def _range(text: str) -> range:
    first, _, last = text.partition("/")[0].partition("-")
    return range(int(first), int(last or first) + 1)


def _health(check: dict[str, Any] | None) -> Json:
    if not check:
        return None
    if check.get("disable") or check.get("test", [""])[:1] == ["NONE"]:
        return "disabled"
    given = {
        name: check[name] if name == "retries" else seconds(check[name]) for name in TIMES if check.get(name)
    }
    given = {name: value for name, value in given.items() if value}
    test = check.get("test") or []
    if not test and not given:
        return None
    return {"test": test, "open": sorted(set(TIMES) - set(given)), **TIMES, **given}


def _of(mode: str) -> str | None:
    return mode.removeprefix("service:") if mode.startswith("service:") else None


def _ipc(mode: str) -> Json:
    return _of(mode), mode == "shareable"


def _limits(s: dict[str, Any], resources: dict[str, Any]) -> Json:
    limits, reserved = resources.pop("limits", {}), resources.pop("reservations", {})
    quota, period = int(s.pop("cpu_quota", 0)), int(s.pop("cpu_period", 0) or 100_000)
    swap = int(s.pop("memswap_limit", 0)) or None
    return {
        "blkio": s.get("blkio_config", {}).pop("weight", None),
        "cpus": float(s.pop("cpus", 0) or limits.get("cpus", 0) or (quota / period if quota > 0 else 0))
        or None,
        "cpuset": s.pop("cpuset", None),
        "memory": int(s.pop("mem_limit", 0) or limits.get("memory", 0)) or None,
        "pids": int(s.pop("pids_limit", 0) or limits.get("pids", 0)) or None,
        "reserved cpus": float(reserved.get("cpus", 0)) or None,
        "reserved memory": int(s.pop("mem_reservation", 0) or reserved.get("memory", 0)) or None,
        "shares": s.pop("cpu_shares", None) or None,
        "shm": int(s.pop("shm_size", 0)) or None,
        "swap": swap,
        "swappiness": int(s.pop("mem_swappiness")) if "mem_swappiness" in s else None,
    }


def _memory(text: str) -> dict[str, Any]:
    target, _, written = text.partition(":")
    options = [o for o in written.split(",") if o and o != "rw"]
    named = dict(o.split("=", 1) for o in options if o.startswith(("size=", "mode=")))
    rest = [o for o in options if not o.startswith(("size=", "mode="))]
    units = {"k": 1024, "m": 1024**2, "g": 1024**3}
    size = named.get("size", "0")
    bytes_ = int(size[:-1]) * units[size[-1]] if size[-1] in units else int(size)
    mode = int(named["mode"], 8) if "mode" in named else None
    return {"type": "tmpfs", "target": target, "tmpfs": {"size": bytes_, "mode": mode, "options": rest}}


def _port(p: dict[str, Any]) -> Json:
    return p["target"], p["protocol"], p.get("published") or None, p.get("name") or None


def _exposed_udp(exposed: list[str]) -> Iterator[Json]:
    return ((port, "udp", None, None) for text in exposed if text.endswith("/udp") for port in _range(text))


def _hook(hook: dict[str, Any]) -> Json:
    variables = {k: v for k, v in (hook.get("environment") or {}).items() if v is not None}
    return hook["command"], hook.get("user"), variables, hook.get("working_dir")


def _pull(policy: str) -> str:
    plain = {"if_not_present": "missing", "build": "missing", "missing": "missing", "never": "never"}
    return plain.get(policy, "always")


def _restart(rule: str | None, policy: dict[str, Any] | None) -> Json:
    if rule is not None and policy is None:
        word, _, times = rule.partition(":")
        return word, int(times) if times else None
    if policy is None:
        return "no", None
    attempts = policy.pop("max_attempts", None)
    word = {"none": "no", "any": "always", "": "no"}.get(found := policy.pop("condition", ""), found)
    return word, attempts if word == "on-failure" else None


def _ulimits(limits: Mapping[str, Any]) -> Json:
    pairs = {
        name: limit if isinstance(limit, dict) else {"soft": limit, "hard": limit}
        for name, limit in limits.items()
    }
    return {name: (limit["soft"], limit["hard"]) for name, limit in pairs.items()}
