"""Compose files made of the specification's own schema: every property once in every form that it may have."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

SENSIBLE: Mapping[str, Any] = {
    "action": "sync", "additional_contexts": ["docs=./docs"], "aliases": ["www"], "annotations": ["a=b"], "api": "10.0.0.2",
    "aux_addresses": {"router": "10.1.0.9"}, "bind.propagation": "rprivate", "bind.recursive": "enabled", "bind.selinux": "z",
    "build": "./api", "build.target": "stage", "cap_add": ["NET_BIND_SERVICE"], "cap_drop": ["ALL"], "capabilities": ["gpu"],
    "cgroup": "private", "command": "run --now", "condition": "on-failure", "config": "etc/spec.json", "configs.mode": "0440",
    "configs.source": "conf", "configs.target": "/etc/app", "configs[]": "conf", "consistency": "cached", "container_name": "the-web",
    "content": "text", "context": "./api", "cpu_count": 1, "cpu_percent": 50, "cpu_period": 100000, "cpu_quota": 50000,
    "cpu_rt_period": 1000, "cpu_rt_runtime": 900, "cpu_shares": 512, "cpus": 0.5, "cpuset": "0-1", "db.restart": True, "delay": "5s",
    "depends_on": ["db"], "depends_on.*.condition": "service_started", "depends_on.*.restart": True,
    "device_cgroup_rules": ["c 1:3 mr"], "devices": ["/dev/null:/dev/null"], "devices[]": "/dev/null:/dev/null", "dns": "10.0.0.53",
    "dns_opt": ["ndots:1"], "dns_search": "example.com", "dockerfile": "Dockerfile", "dockerfile_inline": "FROM scratch",
    "driver": "default", "endpoint_mode": "vip", "entitlements": ["network.host"], "entrypoint": "sh -c", "env_file": "web.env",
    "env_file[]": "web.env", "environment": {"A": "b"}, "expose": ["3000"], "extends": "db", "extends.file": "more.yaml",
    "extends.service": "other", "external": False, "external_links": ["other"], "extra_hosts": {"api": "10.0.0.2"},
    "extra_hosts[]": "api=10.0.0.2", "failure_action": "pause", "file": "web.env", "format": "raw", "gateway": "10.1.0.1",
    "gid": "1000", "group_add": ["1000"], "hard": 1024, "host_ip": "127.0.0.1", "hostname": "web", "image": "app",
    "include": "more.yaml", "include.path": "more.yaml", "interval": "5s", "ip_range": "10.1.0.0/24",
    "ipam.config.subnet": "10.1.0.0/16", "ipc": "private", "ipv4_address": "10.1.0.5", "ipv6_address": "fd00::5",
    "isolation": "default", "label_file": "web.env", "link_local_ips": ["169.254.1.1"], "links": ["db"],
    "mac_address": "02:42:ac:11:65:43", "max_attempts": 3, "max_failure_ratio": 0.1, "mem_limit": "64m", "mem_reservation": "32m",
    "mem_swappiness": 10, "memory": "64m", "memswap_limit": 128000000, "mode": "replicated", "monitor": "5s", "network_mode": "none",
    "networks": ["front"], "nofile": 1024, "oom_score_adj": 0, "order": "stop-first", "parallelism": 1, "path": "web.env",
    "pid": "service:db", "pids": 100, "pids_limit": 100, "platform": "linux/amd64", "platforms": ["linux/amd64"],
    "ports.mode": "ingress", "ports[]": "8080:80", "profiles": [], "project_directory": ".", "protocol": "tcp",
    "provider.type": "thing", "published": "8080", "pull_policy": "missing", "pull_refresh_after": "24h", "rate": "1mb", "replicas": 2,
    "restart": "always", "retries": 3, "runtime": "runc", "secrets.mode": "0440", "secrets.source": "key", "secrets.target": "key",
    "secrets[]": "key", "security_opt": ["no-new-privileges:true"], "shm_size": "64m", "size": "1m", "soft": 1024, "ssh": ["default"],
    "start_interval": "1s", "start_period": "10s", "stop_grace_period": "5s", "stop_signal": "SIGTERM", "storage_opt": {"size": "1g"},
    "subnet": "10.1.0.0/16", "subpath": "data", "sysctls": {"net.ipv4.tcp_syncookies": "1"}, "tags": ["app:1"], "target": "80",
    "template_driver": "golang", "test": ["CMD", "true"], "timeout": "3s", "tmpfs": "/run", "tmpfs.mode": 0o700, "tmpfs.size": "1m",
    "uid": "1000", "ulimits": {"nofile": 1024}, "user": "1000:1000", "userns_mode": "host", "uts": "host", "volumes.source": "data",
    "volumes.target": "/data", "volumes.type": "volume", "volumes[]": "data:/data", "volumes_from": ["db"], "weight": 300,
    "window": "10s", "working_dir": "/srv",
}  # fmt: skip
"""Values that mean something, by the names of the keys; the last one or two of them."""

NEEDS: Mapping[str, Mapping[str, Any]] = {"memswap_limit": {"mem_limit": 64000000}}
"""What makes no sense alone."""

EXCLUSIVE = ("dockerfile", "dockerfile_inline")

AROUND: Mapping[str, Any] = {
    "services": {"db": {"image": "db"}},
    "networks": {"front": None},
    "volumes": {"data": None},
    "configs": {"conf": {"content": "x"}},
    "secrets": {"key": {"file": "./web.env"}},
}
"""What the values name."""

OF_TYPE: Mapping[str, Any] = {
    "string": "text", "integer": 1, "number": 1, "boolean": True, "null": None, "object": {}, "array": [],
}  # fmt: skip


def schema() -> dict[str, Any]:
    root = os.environ.get("CONDUCTOR_CONTRACTS")
    if not root:
        pytest.skip("CONDUCTOR_CONTRACTS is unset: the specification's schema is not here")
    read: dict[str, Any] = json.loads((Path(root) / "specs" / "compose-spec.json").read_text())
    return read


class Forms:
    """Reads the schema (draft-07, as far as this one goes)."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root

    def of(self, node: Mapping[str, Any], path: tuple[str, ...]) -> list[Any]:
        """Return a value for each form that a value at this path may have."""
        if "$ref" in node:
            return self.of(self.root["definitions"][node["$ref"].rpartition("/")[2]], path)
        alternatives = node.get("oneOf") or node.get("anyOf")
        if alternatives:
            return [value for one in alternatives for value in self.of(one, path)]
        types = node.get("type", "string")
        kinds = [types] if isinstance(types, str) else types
        made = [value for kind in kinds for value in self._kind(kind, kinds, node, path)]
        return [value for at, value in enumerate(made) if value not in made[:at]]

    def _kind(
        self, kind: str, kinds: Sequence[str], node: Mapping[str, Any], path: tuple[str, ...]
    ) -> list[Any]:
        if kind == "object" and (node.get("properties") or "patternProperties" in node):
            return self._object(node, path)
        if kind == "array":
            return [[value] for value in self.of(node.get("items", {}), (*path[:-1], f"{path[-1]}[]"))]
        return [self._scalar(kind, kinds, node, path)]

    def _object(self, node: Mapping[str, Any], path: tuple[str, ...]) -> list[Any]:
        """Make one with every property in its first form, and one for each further form of a property."""
        forms = {key: self.of(below, (*path, key)) for key, below in node.get("properties", {}).items()}
        for pattern, below in node.get("patternProperties", {}).items():
            if pattern != "^x-":
                forms |= {name: self.of(below, (*path, name)) for name in self._names(path)}
        first = {
            key: next((value for value in values if value is not None), None) for key, values in forms.items()
        }
        others = [
            {**first, key: value} for key, values in forms.items() for value in values if value != first[key]
        ]
        return [made for one in (first, *others) for made in _apart(one)]

    def _names(self, path: tuple[str, ...]) -> tuple[str, ...]:
        sensible = self._sensible(path)
        if isinstance(sensible, dict):
            return tuple(sensible)
        if isinstance(sensible, list) and sensible and isinstance(sensible[0], str):
            return (sensible[0].partition("=")[0],)
        return ("name",)

    def _sensible(self, path: tuple[str, ...]) -> Any:
        names = [part.removesuffix("[]") for part in path]
        parent = names[-2] if len(names) > 1 else ""
        for key in (f"{parent}.{path[-1]}", f"{parent}.{names[-1]}", path[-1], names[-1]):
            if key in SENSIBLE:
                return SENSIBLE[key]
        return None

    def _scalar(self, kind: str, kinds: Sequence[str], node: Mapping[str, Any], path: tuple[str, ...]) -> Any:
        """Return a value; text beside another kind is that kind in quotes."""
        if kind == "null":
            return None
        if "enum" in node:
            return node["enum"][0]
        found = self._sensible(path)
        found = found[0] if isinstance(found, list) and found else found
        if found is None or isinstance(found, dict | list):
            others = [OF_TYPE[other] for other in kinds if other not in ("string", "null", "object")]
            return str(others[0]).lower() if kind == "string" and others else OF_TYPE[kind]
        if kind == "boolean":
            return found if isinstance(found, bool) else True
        if kind == "string":
            return str(found).lower() if isinstance(found, bool) else str(found)
        return _number(found)


def _apart(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Make two of one with properties that exclude each other."""
    one, other = EXCLUSIVE
    if not {one, other} <= set(value):
        return [value]
    return [{key: text for key, text in value.items() if key != left} for left in EXCLUSIVE]


def _number(value: Any) -> Any:
    try:
        return float(value) if "." in str(value) else int(value)
    except ValueError:
        return 1


def compose_files() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a name and a compose file for every form of every property."""
    root = schema()
    forms = Forms(root)
    for key, node in root["definitions"]["service"]["properties"].items():
        for number, value in enumerate(forms.of(node, ("services", key))):
            web = {"image": "app", **NEEDS.get(key, {}), key: value}
            yield f"services.{key} {number}", {**AROUND, "services": {**AROUND["services"], "web": web}}
    for section in ("networks", "volumes", "configs", "secrets", "models"):
        name = section.removesuffix("s")
        for number, value in enumerate(forms.of(root["definitions"][name], (section, "own"))):
            yield f"{section} {number}", _using(section, value)
    for key in ("version", "name", "include"):
        for number, value in enumerate(forms.of(root["properties"][key], (key,))):
            yield f"{key} {number}", {**AROUND, key: value}


def _using(section: str, value: Any) -> dict[str, Any]:
    """Put something into a section, and a service that uses it: what nobody uses is not looked at."""
    uses: Any = {"volumes": ["own:/own"]}.get(section, ["own"])
    web = {"image": "app", section: uses}
    return {
        **AROUND,
        section: {**AROUND.get(section, {}), "own": value},
        "services": {**AROUND["services"], "web": web},
    }
