"""Addresses: of hosts that a service knows by name, of network cards, and of networks whose addresses a file writes out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, ip_address, ip_network

from conductor.compose.context import Context
from conductor.compose.findings import MistakeError, RefusalError
from conductor.compose.node import Node
from conductor.compose.values import mapping, text

_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}")
_ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")


def read_hosts(node: Node) -> dict[str, str]:
    """Read `extra_hosts` in its long form."""
    return {name: _address(item) for name, item in mapping(node).items()}


def _address(node: Node) -> str:
    several = {str(item.value) for item in node.value} if isinstance(node.value, list) else set()
    if len(several) > 1:
        why, instead = "not every engine can write it", "Give each address a name of its own."
        raise RefusalError(node, "a host with several addresses", why, instead=instead)
    if several:
        return _address(node.value[0])
    address = text(node.with_value("") if node.value is None else node)
    if address == "host-gateway":
        why, instead = (
            "a run does not reach the machine that the engine runs on",
            "Add what is needed as a service.",
        )
        raise RefusalError(node, "`host-gateway`", why, instead=instead)
    if not re.fullmatch(r"\[?[0-9A-Fa-f:.]+\]?", address):
        raise MistakeError(node, f"`{address[:64]}` is no address", remedy="Write name=10.0.0.1.")
    return address.strip("[]")


def mac_address(node: Node) -> str:
    """Read the address of a network card."""
    address = text(node)
    if not _MAC.fullmatch(address):
        message = f"`{address[:64]}` is no address of a network card"
        raise MistakeError(node, message, remedy="Write it as 02:42:ac:11:00:02.")
    return address


def network_card(networks: Mapping[str, Node]) -> dict[str, str]:
    """Read the network card's address where it is said at the network."""
    for name, attached in networks.items():
        address = attached.get("mac_address")
        if address is not None and len(networks) > 1:
            why = f"the service is on more networks than {name}"
            raise RefusalError(address, "`mac_address`", why, instead="Leave it out.")
        if address is not None:
            return {"mac_address": mac_address(address)}
    return {}


def refuse_written_addresses(networks: Iterable[str], services: Iterable[str], context: Context) -> None:
    """Refuse addresses of a declared subnet that a service has in its texts: each run has other ones."""
    subnets = {name: list(_subnets(context.section("networks").get(name))) for name in networks}
    if not any(subnets.values()):
        return
    for service in services:
        for place, address in _written(context.section("services")[service]):
            for network in (name for name, ranges in subnets.items() if _is_in(address, ranges)):
                why = f"it is an address of the network {network}, and each run has other ones"
                context.findings.refuse(place, f"`{address}`", why, instead="Use the names of the services.")


def _subnets(network: Node | None) -> Iterator[IPv4Network]:
    ipam = network.get("ipam") if network is not None else None
    config = ipam.get("config") if ipam is not None else None
    for item in config.value if config is not None and isinstance(config.value, list) else ():
        subnet = item.get("subnet")
        try:
            made = ip_network(str(subnet.value), strict=False) if subnet is not None else None
        except ValueError:
            continue
        if isinstance(made, IPv4Network) and made.prefixlen:
            yield made


def _written(node: Node) -> Iterator[tuple[Node, str]]:
    if isinstance(node.value, str):
        yield from ((node, found) for found in _ADDRESS.findall(node.value))
    for item in node.value if isinstance(node.value, list) else ():
        yield from _written(item)
    for key, value in node.items():
        if key not in ("ipv4_address", "ports"):
            yield from _written(value)


def _is_in(address: str, ranges: Iterable[IPv4Network]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in subnet for subnet in ranges)
