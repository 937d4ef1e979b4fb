"""Ports: `ports` in all its forms, and `expose`."""

from __future__ import annotations

import re

from conductor.compose.findings import MistakeError
from conductor.compose.node import Node
from conductor.compose.values import integer, sequence, text
from conductor.domain.stack import Port

MOST_PORTS = 20_000
HIGHEST = 65_535

_ADDRESS = re.compile(r"\[?[0-9A-Fa-f:.]*\]?")
_PROTOCOLS = ("tcp", "udp", "sctp")
_FORM = "Write 8080:80, 80, 127.0.0.1:8080:80/udp, or target and published."


def service_ports(ports: Node | None, expose: Node | None) -> tuple[tuple[Port, ...], tuple[int, ...]]:
    """Read both attributes: the ports, and the numbers that are only exposed. Exposed udp ports are ports that nobody publishes."""
    made, exposed = _all(ports), _all(expose)
    made += [port for port in exposed if port.protocol != "tcp"]
    only_tcp = dict.fromkeys(port.target for port in exposed if port.protocol == "tcp")
    return tuple(dict.fromkeys(made)), tuple(only_tcp)


def _all(node: Node | None) -> list[Port]:
    made: list[Port] = []
    for item in sequence(node) if node else []:
        made += read_ports(item)
        if len(made) > MOST_PORTS:
            raise MistakeError(
                item, f"a service may have {MOST_PORTS} ports", remedy="Name only those that are used."
            )
    return made


def read_ports(item: Node) -> tuple[Port, ...]:
    """Read one item; a range of ports is many."""
    if isinstance(item.value, dict):
        return (_long(item),)
    written, _, protocol = text(item).partition("/")
    rest, _, target = written.rpartition(":")
    host, _, published = rest.rpartition(":")
    if not _ADDRESS.fullmatch(host):
        raise MistakeError(item, f"`{written[:64]}` is no port", remedy=_FORM)
    return _range(item, target, published or None, _protocol(item, protocol.lower() or "tcp"))


def _long(item: Node) -> Port:
    target, published = item.get("target"), item.get("published")
    name, protocol = item.get("name"), item.get("protocol")
    if target is None:
        raise MistakeError(item, "a port needs its `target`", remedy=_FORM)
    return Port(
        target=_in_range(target, integer(target)),
        protocol=_protocol(protocol, text(protocol).lower()) if protocol else "tcp",
        published=text(published) or None if published else None,
        name=text(name) if name else None,
    )


def _range(item: Node, targets: str, published: str | None, protocol: str) -> tuple[Port, ...]:
    inside, outside = _numbers(item, targets), _numbers(item, published) if published else None
    if outside is None or len(inside) == 1:
        return tuple(Port(target=port, protocol=protocol, published=published) for port in inside)
    if len(outside) != len(inside):
        message = f"{published} and {targets} are ranges of different lengths"
        raise MistakeError(item, message, remedy="Make them the same length.")
    pairs = zip(inside, outside, strict=True)
    return tuple(Port(target=to, protocol=protocol, published=str(on)) for to, on in pairs)


def _numbers(item: Node, written: str) -> range:
    first, sign, last = written.partition("-")
    if not (first.isdecimal() and (last.isdecimal() or not sign)) or len(written) > len("65535-65535"):
        raise MistakeError(item, f"`{written[:64]}` is no port", remedy=_FORM)
    start, end = _in_range(item, int(first)), _in_range(item, int(last or first))
    if end < start:
        raise MistakeError(item, f"the range {written} ends before it begins")
    return range(start, end + 1)


def _in_range(item: Node, port: int) -> int:
    if not 0 < port <= HIGHEST:
        raise MistakeError(item, f"{port} is no port: they go from 1 to {HIGHEST}")
    return port


def _protocol(item: Node, word: str) -> str:
    if word not in _PROTOCOLS:
        raise MistakeError(item, f"`{word}` is no protocol of a port", remedy="tcp, udp or sctp.")
    return word
