"""The merged project becomes a `Stack`: its enabled services, and the volumes and networks that they use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from conductor.compose.addresses import refuse_written_addresses
from conductor.compose.check import complete, cycles
from conductor.compose.context import Context
from conductor.compose.links import with_link_aliases
from conductor.compose.node import Node
from conductor.compose.service import implied, read_service
from conductor.compose.sharing import with_shared_mounts
from conductor.compose.unsupported import refuse_unsupported
from conductor.compose.values import boolean, mapping, text_map
from conductor.domain.stack import Network, Service, Stack, Volume, VolumeMount

_NAME = re.compile(r"[a-zA-Z0-9._-]+")
LONGEST_NAME = 63
"""Services find each other by their names, and a label of the DNS has no more (RFC 1035, 2.3.4)."""
_SECTIONS = ("services", "networks", "volumes", "configs", "secrets")
ALL_PROFILES = "*"
_NETWORK_FLAGS = {"internal": "internal", "ipv6": "enable_ipv6"}


def enabled_services(project: Node, profiles: Iterable[str]) -> frozenset[str]:
    """Name the services that take part: those without profiles, and those of the profiles asked for (`*` is all)."""
    wanted = set(profiles)
    services = project.get("services")
    return frozenset(
        name for name, node in (services.items() if services else ()) if _takes_part(node, wanted)
    )


def _takes_part(node: Node, wanted: set[str]) -> bool:
    profiles = node.get("profiles")
    if profiles is None or not isinstance(profiles.value, list) or not profiles.value:
        return True
    return ALL_PROFILES in wanted or bool(wanted & {str(item.value) for item in profiles.value})


def to_stack(name: str, context: Context) -> Stack:
    """Read the project. Everything that is wrong or refused is in the findings."""
    _check_shape(context)
    complete(context.project, context.findings)
    nodes = {key: node for key, node in context.section("services").items() if key in context.enabled}
    services = [
        read_service(key, node, context) for key, node in nodes.items() if _is_service(key, node, context)
    ]
    _check_cycles(nodes, context)
    _check_container_names(services, nodes, context)
    sharing = with_shared_mounts(services, nodes, context)
    whole = with_link_aliases(sharing, nodes, context.findings)
    _refuse(whole, context)
    return Stack(
        name=name,
        services=tuple(whole),
        volumes=_volumes(whole, context),
        networks=_networks(whole, context),
    )


def _check_shape(context: Context) -> None:
    for section in _SECTIONS:
        found = context.project.get(section)
        with context.findings.catching():
            for node in mapping(found).values() if found else ():
                with context.findings.catching():
                    mapping(node)


def _is_service(name: str, node: Node, context: Context) -> bool:
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        remedy = f"Use letters, digits, `.`, `_` and `-`, {LONGEST_NAME} at most."
        context.findings.mistake(node, f"`{name[:64]}` is no name of a service", remedy=remedy, key=True)
        return False
    if node.value is None:
        context.findings.mistake(
            node, "expected a mapping, found nothing", remedy="Give it an `image` or a `build`."
        )
    return isinstance(node.value, dict)


def _check_cycles(nodes: Mapping[str, Node], context: Context) -> None:
    needs: dict[str, dict[str, Node]] = {}
    for name, node in nodes.items():
        depends_on = node.get("depends_on")
        needs[name] = dict(depends_on.items()) if depends_on else {}
        with context.findings.catching():
            needs[name] |= {other: place for other, (place, _) in implied(node).items()}
    cycles(nodes, needs, context.findings)


def _check_container_names(services: list[Service], nodes: Mapping[str, Node], context: Context) -> None:
    first: dict[str, str] = {}
    for service in services:
        if service.container_name and first.setdefault(service.container_name, service.name) != service.name:
            message = (
                f"`{service.container_name}` is the container name of {first[service.container_name]} too"
            )
            place = nodes[service.name].value["container_name"]
            context.findings.mistake(place, message, remedy="Leave one of them out.")


def _refuse(services: list[Service], context: Context) -> None:
    """Refuse what the closed list names, where it takes part in the run."""
    used = _used(services, context)

    def skip(path: str) -> bool:
        section, dot, name = path.partition(".")
        return bool(dot) and section in used and name.partition(".")[0] not in used[section]

    refuse_unsupported(context.project, context.findings, skip=skip)
    refuse_written_addresses(used["networks"], (service.name for service in services), context)


def _used(services: list[Service], context: Context) -> dict[str, set[str]]:
    used: dict[str, set[str]] = {section: set() for section in _SECTIONS}
    used["services"] = set(context.enabled)
    used["networks"] = {net for service in services for net in service.networks}
    used["volumes"] = set(_mounted(services))
    for name in context.enabled:
        for section in ("configs", "secrets"):
            items = context.section("services")[name].get(section)
            for item in items.value if items and isinstance(items.value, list) else ():
                source = item.get("source")
                used[section] |= {str(source.value)} if source else set()
    return used


def _mounted(services: list[Service]) -> Iterable[str]:
    mounts = (mount for service in services for mount in service.mounts)
    return dict.fromkeys(mount.volume for mount in mounts if isinstance(mount, VolumeMount) and mount.volume)


def _volumes(services: list[Service], context: Context) -> tuple[Volume, ...]:
    declared = context.section("volumes")
    made = []
    for name in _mounted(services):
        labels = declared[name].get("labels") if name in declared else None
        with context.findings.catching():
            made.append(Volume(name=name, labels=text_map(labels) if labels else {}))
    return tuple(made)


def _networks(services: list[Service], context: Context) -> tuple[Network, ...]:
    declared = context.section("networks")
    made = []
    for name in dict.fromkeys(net for service in services for net in service.networks):
        declaration = declared.get(name)
        with context.findings.catching():
            flags = {flag: _flag(declaration, key) for flag, key in _NETWORK_FLAGS.items()}
            made.append(Network(name=name, **flags))
    return tuple(made)


def _flag(node: Node | None, key: str) -> bool:
    found = node.get(key) if node is not None else None
    return boolean(found) if found is not None else False
