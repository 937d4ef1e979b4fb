"""Keys that Compose does not know, and references that lead nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from graphlib import CycleError, TopologicalSorter

from conductor.compose.findings import Findings, MistakeError
from conductor.compose.node import Node
from conductor.compose.schema import KEYS, SHAPES, is_extension, place_of
from conductor.compose.values import boolean, duration, kind, mapping, sequence, strict_text, text_map
from conductor.documents.document import nearest

_DATE = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([Tt ]\s*\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?\s*(Z|[+-]\d{1,2}(:\d{2})?)?)?"
)
_NO_TEXT = re.compile(
    r"[-+]?(\d+|0o[0-7]+|0x[0-9a-fA-F]+|\d*\.\d+([eE][-+]?\d+)?)|true|True|TRUE|false|False|FALSE"
)


_EACH_ONCE = frozenset(
    f"services.*.{key}"
    for key in (
        "depends_on",
        "external_links",
        "extra_hosts",
        "group_add",
        "networks",
        "security_opt",
        "volumes_from",
    )
)
_NAMED = frozenset({"services.*.depends_on", "services.*.extra_hosts", "services.*.networks"})
"""Lists that are mappings in their long form, where what is there twice would be lost."""
_MAY_BE_EMPTY = frozenset({
    "services.*.command", "services.*.deploy", "services.*.develop", "services.*.entrypoint",
    "services.*.post_start[].command", "services.*.pre_stop[].command", "networks.*", "volumes.*",
})  # fmt: skip


def known_keys(node: Node, findings: Findings, place: str = "") -> Node:
    """Return the node without extensions and without unknown keys; each of these is a finding.

    So are dates and keys that are no text: Compose stops at them, and quotes are what was meant.
    """
    if isinstance(node.value, list):
        _twice(node, findings, place if place in _NAMED else "")
        return node.with_value([known_keys(item, findings, f"{place}[]") for item in node.value])
    if not isinstance(node.value, dict):
        if isinstance(node.value, str) and _DATE.fullmatch(node.value) and _is_date(node):
            findings.mistake(node, f"`{node.value}` is a date, and not text", remedy="Put it in quotes.")
        return node
    kept: dict[str, Node] = {}
    for key, value in node.value.items():
        if _NO_TEXT.fullmatch(key) and _is_plain(value, key, key=True):
            findings.mistake(value, f"the key `{key[:64]}` is not text", remedy="Put it in quotes.", key=True)
        if place not in KEYS or key in KEYS[place]:
            kept[key] = known_keys(value, findings, place_of(place, key))
        elif not is_extension(key):
            _unknown(value, key, place, findings)
    return node.with_value(kept)


def complete(node: Node, findings: Findings, place: str = "") -> None:
    """Find keys without a value and items that are there twice, in what was merged: Compose takes neither."""
    if isinstance(node.value, list):
        _twice(node, findings, place)
        for item in node.value:
            if f"{place}[]" in SHAPES:
                with findings.catching():
                    _READERS[SHAPES[f"{place}[]"]](item)
            complete(item, findings, f"{place}[]")
    for key, value in node.items():
        below = place_of(place, key)
        if value.value is None and place in KEYS and below not in _MAY_BE_EMPTY:
            findings.mistake(
                value, f"`{key}` has no value", remedy="Give it one, or remove the key.", key=True
            )
        if below in SHAPES and value.value is not None:
            with findings.catching():
                _READERS[SHAPES[below]](value)
        complete(value, findings, below)


def _number(node: Node) -> float:
    if isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    raise MistakeError(node, f"expected a number, found {kind(node)}")


_READERS: Mapping[str, Callable[[Node], object]] = {
    "mapping": mapping, "labels": text_map, "a duration": duration, "list": sequence, "text": strict_text,
    "true or false": boolean, "a number": _number,
}  # fmt: skip


def _twice(node: Node, findings: Findings, place: str) -> None:
    seen: set[str] = set()
    for item in node.value if place in _EACH_ONCE else ():
        written = str(item.value)
        if written in seen:
            findings.mistake(item, f"`{written[:64]}` is here twice", remedy="Remove one of them.")
        seen.add(written)


def _is_date(node: Node) -> bool:
    try:
        date(*map(int, re.split(r"[-Tt ]", str(node.value))[:3]))
    except ValueError:
        return False
    return _is_plain(node, str(node.value))


def _is_plain(node: Node, text: str, *, key: bool = False) -> bool:
    """Tell whether it stands in the file without quotes."""
    problem = node.source.document.problem(node.path, "", key=key)
    return problem.source[problem.column - 1 :].startswith(text)


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
