"""How much a service may have and how often it stands: `deploy`, `mem_limit`, `cpus`, `scale`, `restart`, `ulimits`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from conductor.compose.findings import MistakeError
from conductor.compose.node import Node
from conductor.compose.values import choice, count, integer, mapping, number, size, strict_text, text
from conductor.domain.stack import Resources, Restart

_T = TypeVar("_T")
UNLIMITED = -1
_ALL = 100
_CONDITIONS: Mapping[str, Restart] = {
    "none": Restart.NO, "no": Restart.NO, "on-failure": Restart.ON_FAILURE, "unless-stopped": Restart.UNLESS_STOPPED,
    "any": Restart.ALWAYS, "always": Restart.ALWAYS,
}  # fmt: skip
"""What `docker compose up` makes of a policy; without a condition it makes none of it."""


def read_resources(service: Node) -> Resources:
    """Read limits and reservations in their old and new places; both may be there only when they agree."""
    limits, reserved = (
        _below(service, "deploy", "resources", "limits"),
        _below(service, "deploy", "resources", "reservations"),
    )
    cpus = _either(service, "cpus", limits, "cpus", number)
    pids = _either(service, "pids_limit", limits, "pids", integer)
    shm, reserved_cpus = service.get("shm_size"), reserved.get("cpus") if reserved else None
    return Resources(
        cpus=_one_of(service, cpus, _quota(service)),
        memory_bytes=_either(service, "mem_limit", limits, "memory", size) or None,
        pids=pids if pids and pids != UNLIMITED else None,
        reserved_cpus=number(reserved_cpus) if reserved_cpus else None,
        reserved_memory_bytes=_either(service, "mem_reservation", reserved, "memory", size) or None,
        shm_bytes=size(shm) if shm else None,
        memory_swap_bytes=_memory_and_swap(service),
        memory_swappiness=_per_cent(service.get("mem_swappiness")),
        cpu_shares=_count(service.get("cpu_shares")),
        cpuset=_cpuset(service.get("cpuset")),
        block_io_weight=_count(_below(service, "blkio_config", "weight")),
    )


def _memory_and_swap(service: Node) -> int | None:
    """Read `memswap_limit`: memory and swap together, so never less than memory alone."""
    both, memory = service.get("memswap_limit"), service.get("mem_limit")
    memory = memory or _below(service, "deploy", "resources", "limits", "memory")
    if both is None:
        return None
    bytes_ = UNLIMITED if both.value == UNLIMITED else size(both)
    if bytes_ == 0:
        return None
    if memory is None or (bytes_ != UNLIMITED and bytes_ < size(memory)):
        message = "`memswap_limit` is memory and swap together, and `mem_limit` is not within it"
        raise MistakeError(both, message, remedy="Set `mem_limit`, no larger than this.", key=True)
    return bytes_


def _per_cent(node: Node | None) -> int | None:
    if node is None or integer(node) == UNLIMITED:
        return None
    if not 0 <= integer(node) <= _ALL:
        raise MistakeError(node, f"`{integer(node)}` is no percentage")
    return integer(node)


def _count(node: Node | None) -> int | None:
    """Read a weight; 0 leaves it to the engine."""
    if node is None:
        return None
    if integer(node) < 0:
        raise MistakeError(node, f"`{integer(node)}` is no weight")
    return integer(node) or None


def _cpuset(node: Node | None) -> str | None:
    written = text(node) if node is not None else ""
    if node is not None and written and not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", written):
        raise MistakeError(node, f"`{written[:64]}` is no list of cpus", remedy="Write 0-1 or 0,2.")
    return written or None


def _one_of(service: Node, cpus: float | None, quota: float | None) -> float | None:
    if cpus and quota is not None:
        message = "`cpus` and `cpu_quota` say the same thing, and exclude each other"
        raise MistakeError(service.value["cpu_quota"], message, remedy="Keep `cpus`.", key=True)
    return cpus or quota


def _quota(service: Node) -> float | None:
    """Read `cpu_quota` microseconds in each `cpu_period` as a number of cpus."""
    quota, period = service.get("cpu_quota"), service.get("cpu_period")
    each = integer(period) if period else 100_000
    if quota is None or integer(quota) <= 0:
        return None
    if each <= 0:
        raise MistakeError(period or quota, f"`{each}` is no period", remedy="Use `cpus`.")
    return integer(quota) / each


def read_replicas(service: Node) -> int:
    """Read `scale` or `deploy.replicas`; 1 where neither is there."""
    replicas = _either(service, "scale", service.get("deploy"), "replicas", integer)
    if replicas is not None and replicas < 0:
        place = service.get("scale") or service.get("deploy") or service
        raise MistakeError(place, f"`{replicas}` is no number of containers")
    return 1 if replicas is None else replicas


def read_restart(service: Node) -> tuple[Restart, int | None]:
    """Read `deploy.restart_policy`, else `restart`: the rule, and how often at most."""
    restart, policy = service.get("restart"), _below(service, "deploy", "restart_policy")
    rule = _restart(restart) if restart is not None else (Restart.NO, None)
    return _policy(policy) if policy is not None else rule


def _policy(policy: Node) -> tuple[Restart, int | None]:
    condition, attempts = policy.get("condition"), policy.get("max_attempts")
    rule = _CONDITIONS[choice(*_CONDITIONS)(condition)] if condition else Restart.NO
    most = count(attempts) if attempts else None
    if attempts and most and condition and rule is not Restart.ON_FAILURE:
        message = (
            "`max_attempts` goes with `condition: on-failure` alone: Docker starts no container otherwise"
        )
        raise MistakeError(
            attempts, message, remedy="Leave it out, or write `condition: on-failure`.", key=True
        )
    return rule, most if rule is Restart.ON_FAILURE else None


def _restart(node: Node) -> tuple[Restart, int | None]:
    word, sign, times = strict_text(node).partition(":")
    if word not in list(Restart) or (sign and word != Restart.ON_FAILURE):
        remedy = f"Write one of {', '.join(Restart)}, or on-failure:3."
        raise MistakeError(node, f"`{strict_text(node)[:64]}` is no restart rule", remedy=remedy)
    return Restart(word), integer(node.with_value(times)) if sign else None


def read_ulimits(node: Node) -> Mapping[str, tuple[int, int]]:
    """Read `nofile: 1024` and `nofile: {soft: 1024, hard: 2048}`."""
    return {name: _ulimit(value) for name, value in mapping(node).items()}


def _ulimit(node: Node) -> tuple[int, int]:
    if not isinstance(node.value, dict):
        return integer(node), integer(node)
    soft, hard = node.get("soft"), node.get("hard")
    if soft is None or hard is None:
        raise MistakeError(node, "a limit is a number, or `soft` and `hard`")
    return integer(soft), integer(hard)


def _below(service: Node, *keys: str) -> Node | None:
    node: Node | None = service
    for key in keys:
        if node is not None:
            mapping(node)
        node = node.get(key) if node else None
    return node


def _either(service: Node, old: str, section: Node | None, new: str, read: Callable[[Node], _T]) -> _T | None:
    first, second = service.get(old), section.get(new) if section else None
    if first is None or section is None or (second is None and new == "replicas"):
        found = first or second
        return read(found) if found is not None else None
    if read(first) and (second is None or read(first) != read(second)):
        message = f"`{old}` and `deploy` say different things ({(second or section).place})"
        raise MistakeError(first, message, remedy="Keep one of them.")
    return read(first)
