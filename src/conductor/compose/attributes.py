"""Attributes of a service that stand for themselves: a table from each to its field and its reader. To add one, add a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from conductor.compose.addresses import mac_address, read_hosts
from conductor.compose.context import Context
from conductor.compose.findings import MistakeError, RefusalError
from conductor.compose.limits import read_ulimits
from conductor.compose.node import Node
from conductor.compose.values import (
    boolean,
    command,
    duration,
    integer,
    mapping,
    sequence,
    strict_text,
    strict_texts,
    text,
    text_map,
    texts,
)

_CAPABILITIES = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MKNOD",
    "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT", "SYS_NICE",
    "SYS_PTRACE",
})  # fmt: skip
"""Those that stay inside the container."""

_CONTAINER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_FIRST_TO_END = 1000
_ACTED_UPON = re.compile(
    r"^(run\.oci\.|io\.(podman|containers|katacontainers|kubernetes)\b|com\.docker\.)|(^|\.)(kubernetes|k8s)\.io/"
)
"""Annotations by which a runtime or a cluster keeps a container otherwise."""
_PULL = {
    "always": "always",
    "never": "never",
    "missing": "missing",
    "if_not_present": "missing",
    "build": "missing",
}


def _capabilities(node: Node) -> tuple[str, ...]:
    made = {text(item).upper().removeprefix("CAP_"): item for item in sequence(node)}
    for name, item in made.items():
        if name not in _CAPABILITIES:
            why, instead = "it reaches the machine that the engine runs on", "Leave it out."
            raise RefusalError(item, f"the capability {name[:40]}", why, instead=instead)
    return tuple(made)


def _security_options(node: Node) -> tuple[str, ...]:
    for item in sequence(node):
        if text(item) not in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"):
            why, instead = "it would loosen what keeps the container inside", "Leave it out."
            raise RefusalError(item, f"`{text(item)[:80]}`", why, instead=instead)
    return ("no-new-privileges:true",) if sequence(node) else ()


def _container_name(node: Node) -> str:
    name = text(node)
    if not _CONTAINER_NAME.fullmatch(name):
        raise MistakeError(
            node, f"`{name[:64]}` is no name of a container", remedy="Use letters, digits, `_`, `.` and `-`."
        )
    return name


def _pull_policy(node: Node) -> str:
    policy = text(node)
    if policy in _PULL:
        return _PULL[policy]
    if re.fullmatch(r"refresh|daily|weekly|every_([0-9]+[wdhms])+", policy):
        return "always"  # never staler than what is asked for
    raise MistakeError(node, f"`{policy[:64]}` is no pull policy", remedy=f"Write one of {', '.join(_PULL)}.")


def _drop(node: Node) -> tuple[str, ...]:
    return tuple(text(item).upper().removeprefix("CAP_") for item in sequence(node))


def _out_of_memory(node: Node) -> int | None:
    score = integer(node)
    if score < 0:
        why = "it would have others of the machine ended first when memory is out"
        raise RefusalError(node, f"`{score}`", why, instead="Write 0 to 1000, or leave it out.")
    if score > _FIRST_TO_END:
        raise MistakeError(node, f"`{score}` is no score: they go to {_FIRST_TO_END}")
    return score or None


def _annotations(node: Node) -> Mapping[str, str]:
    for name, value in mapping(node).items():
        if _ACTED_UPON.search(name):
            why, instead = "container runtimes act upon it", "Leave it out."
            raise RefusalError(value, f"the annotation `{name[:80]}`", why, instead=instead)
    return text_map(node)


FIELDS: Mapping[str, tuple[str, Callable[[Node], Any]]] = {
    "annotations": ("annotations", _annotations),
    "cap_add": ("cap_add", _capabilities),
    "cap_drop": ("cap_drop", _drop),
    "command": ("command", command),
    "container_name": ("container_name", _container_name),
    "dns": ("dns", strict_texts),
    "dns_opt": ("dns_options", strict_texts),
    "dns_search": ("dns_search", strict_texts),
    "domainname": ("domainname", strict_text),
    "entrypoint": ("entrypoint", command),
    "extra_hosts": ("extra_hosts", read_hosts),
    "group_add": ("group_add", texts),
    "hostname": ("hostname", strict_text),
    "image": ("image", strict_text),
    "init": ("init", boolean),
    "mac_address": ("mac_address", mac_address),
    "oom_score_adj": ("oom_score_adj", _out_of_memory),
    "platform": ("platform", strict_text),
    "profiles": ("profiles", texts),
    "pull_policy": ("pull_policy", _pull_policy),
    "read_only": ("read_only", boolean),
    "security_opt": ("security_opt", _security_options),
    "stdin_open": ("stdin_open", boolean),
    "stop_grace_period": ("stop_grace_period", duration),
    "stop_signal": ("stop_signal", strict_text),
    "sysctls": ("sysctls", text_map),
    "tty": ("tty", boolean),
    "ulimits": ("ulimits", read_ulimits),
    "user": ("user", strict_text),
    "working_dir": ("working_dir", strict_text),
}


def single_attributes(node: Node, context: Context) -> dict[str, Any]:
    """Read every attribute of the table. What is wrong with one is a finding, and it is left at its default."""
    made: dict[str, Any] = {}
    for key, (field, read) in FIELDS.items():
        value = node.get(key)
        if value is None or (value.value == "" and read is strict_text):
            continue
        with context.findings.catching():
            made[field] = read(value)
    return made
