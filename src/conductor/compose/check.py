"""Keys that Compose does not know, and references that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from conductor.compose.findings import Findings, MistakeError
from conductor.compose.node import Node
from conductor.compose.schema import KEYS, is_extension, place_of
from conductor.documents.document import nearest


def known_keys(node: Node, findings: Findings, place: str = "") -> Node:
    """Return the node without extensions and without unknown keys; each of these is a finding."""
    if isinstance(node.value, list):
        return node.with_value([known_keys(item, findings, f"{place}[]") for item in node.value])
    if not isinstance(node.value, dict):
        return node
    kept: dict[str, Node] = {}
    for key, value in node.value.items():
        if place not in KEYS or key in KEYS[place]:
            kept[key] = known_keys(value, findings, place_of(place, key))
        elif not is_extension(key):
            _unknown(value, key, place, findings)
    return node.with_value(kept)


def _unknown(node: Node, key: str, place: str, findings: Findings) -> None:
    meant = None if findings.is_full else nearest(key, sorted(KEYS[place]))
    remedy = f"Did you mean `{meant}`?" if meant else "Remove it, or let its name begin with `x-`."
    if not place and node.get("image"):
        remedy = "If it is a service, put it under `services:`."
    findings.mistake(node, f"unknown key `{key}`", remedy=remedy, key=True)


def undefined(node: Node, name: str, what: str, defined: Iterable[str]) -> MistakeError:
    """Make the mistake of naming something that is not there."""
    meant = nearest(name, defined)
    remedy = f"Did you mean `{meant}`?" if meant else f"Declare it under `{what}s:`."
    return MistakeError(node, f"there is no {what} `{name}`", remedy=remedy)


def cycles(services: Mapping[str, Node], needs: Mapping[str, Mapping[str, Node]], findings: Findings) -> None:
    """Find services that wait for each other. `needs` maps each service to those that it needs, with the place that says so."""
    graph = {name: [other for other in needs.get(name, {}) if other in services] for name in services}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        place = needs[circle[0]][circle[1]]
        text = f"services wait for each other: {' -> '.join(circle)}"
        findings.mistake(place, text, remedy="Take one of these dependencies away.")
