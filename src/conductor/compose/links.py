"""`links`: other names under which services know each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from conductor.compose.findings import Findings, RefusalError
from conductor.compose.node import Node
from conductor.domain.stack import Service


def with_link_aliases(
    services: Sequence[Service], nodes: Mapping[str, Node], findings: Findings
) -> list[Service]:
    """Give services the names under which `links` knows them.

    With Compose only the service that says so knows them by it, here all do; where that could be another service's name it is refused.
    """
    named: dict[str, dict[str, None]] = {}
    owners = {name: service.name for service in services for name in service.dns_names}
    for node in nodes.values():
        for target, alias, place in _aliases(node):
            with findings.catching():
                _check_owner(owners, target, alias, place)
                named.setdefault(target, {})[alias] = None
    return [_also_named(service, tuple(named.get(service.name, ()))) for service in services]


def _aliases(node: Node) -> Iterator[tuple[str, str, Node]]:
    links = node.get("links")
    for item in links.value if links and isinstance(links.value, list) else ():
        target, _, alias = str(item.value).partition(":")
        if alias and alias != target:
            yield target, alias, item


def _check_owner(owners: dict[str, str], target: str, alias: str, place: Node) -> None:
    owner = owners.setdefault(alias, target)
    if owner != target:
        why = f"{owner} is known by that name too, and names are the same for all services"
        raise RefusalError(place, f"`{target}:{alias}`"[:100], why, instead="Give it another name.")


def _also_named(service: Service, names: tuple[str, ...]) -> Service:
    if not names:
        return service
    networks = {net: tuple(dict.fromkeys((*aliases, *names))) for net, aliases in service.networks.items()}
    return replace(service, networks=networks)
