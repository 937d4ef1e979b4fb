"""Several files become one: what a later file says comes over what an earlier one said.

Law: Compose's own rules (compose-spec, 13-merge). Mappings merge, lists are joined, commands are replaced; ports, mounts and files that
mean the same thing are one; `!reset` takes away, `!override` replaces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from conductor.compose.findings import Findings, MistakeError, RefusalError
from conductor.compose.node import Node
from conductor.compose.ports import read_ports
from conductor.compose.schema import place_of

_REPLACED = frozenset({
    "services.*.command", "services.*.entrypoint", "services.*.healthcheck.test", "services.*.ulimits.*",
})  # fmt: skip


def merge(base: Node | None, over: Node, findings: Findings, place: str = "") -> Node | None:
    """Lay `over` on `base`. None is nothing left: `!reset`."""
    if over.tag == "!reset":
        findings.note(over, "!reset: taken away")
        return None
    if over.tag == "!override" or base is None or place in _REPLACED:
        return _replace(base, over, findings, place)
    if type(base.value) is type(over.value) and isinstance(over.value, dict | list):
        findings.join(base, over)
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        return over.with_value(_merged(base.value, over.value, findings, place))
    if isinstance(base.value, list) and isinstance(over.value, list):
        return over.with_value(_joined([*base.value, *over.value], place))
    if over.value is None and isinstance(base.value, dict | list):
        return base
    return _replace(base, over, findings, place)


def _replace(base: Node | None, over: Node, findings: Findings, place: str) -> Node:
    if base is not None:
        findings.note(base, f"replaced by {over.place}")
    if isinstance(over.value, dict):
        return over.with_value(_merged({}, over.value, findings, place))
    if isinstance(over.value, list):
        return over.with_value(_joined(over.value, place))
    return over


def _merged(
    base: Mapping[str, Node], over: Mapping[str, Node], findings: Findings, place: str
) -> dict[str, Node]:
    made = dict(base)
    for key, value in over.items():
        result = merge(made.get(key), value, findings, place_of(place, key))
        if result is None:
            made.pop(key, None)
        else:
            made[key] = result
    return made


def _joined(items: list[Node], place: str) -> list[Node]:
    """Join the items; of those that mean the same thing the last one is taken, in the place of the first."""
    if place in _AS_THEY_ARE:
        return items
    meaning = _MEANING.get(place, _scalar)
    return list({meaning(item) or id(item): item for item in items}.values())


def _scalar(item: Node) -> object:
    return None if isinstance(item.value, dict | list) else (str(item.value),)


def _target(item: Node) -> object:
    """Tell mounts apart by their place in the container."""
    if isinstance(item.value, str):
        parts = item.value.split(":")
        return parts[1] if len(parts) > 1 else parts[0]
    target = item.get("target")
    return target.value if target and isinstance(target.value, str) else None


def _path(item: Node) -> object:
    path = item.get("path")
    return str(path.value) if path else None


def _file(item: Node) -> object:
    target = item.get("target") or item.get("source")
    return target.value if target and isinstance(target.value, str) else None


def _port(item: Node) -> object:
    if isinstance(item.value, str) and "-" in item.value:
        return item.value
    try:
        return tuple((p.target, p.protocol, p.published) for p in read_ports(item)), _host_ip(item)
    except (MistakeError, RefusalError):
        return None


def _host_ip(item: Node) -> str:
    address = item.get("host_ip")
    if address:
        return str(address.value)
    return item.value.rsplit(":", 2)[0] if isinstance(item.value, str) and item.value.count(":") > 1 else ""


_AS_THEY_ARE = frozenset(
    f"services.*.{key}" for key in ("external_links", "group_add", "security_opt", "volumes_from")
)
"""Lists in which Compose takes nothing twice, but does not look before they are joined."""
_MEANING: Mapping[str, Callable[[Node], object]] = {
    "services.*.env_file": _path,
    "services.*.ports": _port,
    "services.*.volumes": _target,
    "services.*.configs": _file,
    "services.*.secrets": _file,
}
