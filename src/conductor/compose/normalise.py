"""Short forms become long ones, so that all that follows knows one form of each attribute.

A table from places to functions: to add an attribute, add a line. A function is given the node and returns it in its long form; what it
does not understand it returns as it is, and the reader of the value says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from conductor.compose.node import Node
from conductor.compose.schema import place_of
from conductor.domain.stack import SecretText

Function = Callable[[Node], Node]


def normalise(node: Node, place: str = "") -> Node:
    """Return a document in long forms."""
    function = LONG_FORMS.get(place)
    node = function(node) if function and node.value is not None else node
    if place not in _ON_THE_WAY:
        return node
    if isinstance(node.value, dict):
        return node.with_value({key: normalise(value, place_of(place, key)) for key, value in node.items()})
    if isinstance(node.value, list):
        return node.with_value([normalise(item, f"{place}[]") for item in node.value])
    return node


def one_or_many(node: Node) -> Node:
    """`dns: 1.1.1.1` becomes `dns: [1.1.1.1]`."""
    return node if isinstance(node.value, list) else node.with_value([node])


def under(key: str) -> Function:
    """`build: .` becomes `build: {context: .}`."""
    return lambda node: node if isinstance(node.value, dict) else node.with_value({key: node})


def names(node: Node) -> Node:
    """`networks: [front]` becomes `networks: {front: null}`."""
    if not isinstance(node.value, list):
        return node
    return node.with_value({str(item.value): item.with_value(None) for item in node.value})


def dependencies(node: Node) -> Node:
    """`depends_on: [db]` becomes `depends_on: {db: {condition: service_started}}`."""
    if isinstance(node.value, dict):
        return node.with_value({name: _required(wish) for name, wish in node.items()})
    if not isinstance(node.value, list):
        return node
    started = {
        item: item.with_value({"condition": item.with_value("service_started")}) for item in node.value
    }
    return node.with_value({str(item.value): _required(long) for item, long in started.items()})


def _required(wish: Node) -> Node:
    """Say `required: true` where a file says nothing of it, whatever an earlier one says."""
    if not isinstance(wish.value, dict) or "required" in wish.value:
        return wish
    return wish.with_value({**wish.value, "required": wish.with_value(value=True)})


def pairs(node: Node) -> Node:
    """`environment: [A=1, B]` becomes `environment: {A: 1, B: null}`."""
    if not isinstance(node.value, list) or not all(isinstance(i.value, str | SecretText) for i in node.value):
        return node
    return node.with_value(dict(_pair(item) for item in node.value))


def _pair(item: Node) -> tuple[str, Node]:
    if isinstance(item.value, SecretText):
        key, sign, rest = item.value.parts[0].partition("=")
        if sign:
            return key, item.with_value(SecretText(parts=(rest, *item.value.parts[1:])))
        return item.value.parts[0], item
    key, sign, text = item.value.partition("=")
    return key, item.with_value(text if sign else None)


def label_pairs(node: Node) -> Node:
    """As `pairs`, but a label without a value is empty."""
    made = pairs(node)
    if made is node:
        return node
    return made.with_value({k: v if v.value is not None else v.with_value("") for k, v in made.items()})


def hosts(node: Node) -> Node:
    """`extra_hosts: ["db=10.0.0.1", "db:10.0.0.1"]` becomes `extra_hosts: {db: 10.0.0.1}`."""
    if not isinstance(node.value, list) or not all(isinstance(item.value, str) for item in node.value):
        return node
    made: dict[str, Node] = {}
    for item in node.value:
        name, sign, address = item.value.partition("=" if "=" in item.value else ":")
        one = item.with_value(address.strip("[]") if sign else None)
        before = made.get(name)
        made[name] = one if before is None else one.with_value([*_several(before), one])
    return node.with_value(made)


def _several(node: Node) -> list[Node]:
    return node.value if isinstance(node.value, list) else [node]


def health_test(node: Node) -> Node:
    """`test: curl x` becomes `test: [CMD-SHELL, curl x]`."""
    if not isinstance(node.value, str | SecretText):
        return node
    return node.with_value([node.with_value("CMD-SHELL"), node])


LONG_FORMS: Mapping[str, Function] = {
    "include[]": under("path"),
    "include[].path": one_or_many,
    "include[].env_file": one_or_many,
    "services.*.annotations": label_pairs,
    "services.*.build": under("context"),
    "services.*.build.args": pairs,
    "services.*.build.extra_hosts": hosts,
    "services.*.build.labels": label_pairs,
    "services.*.configs[]": under("source"),
    "services.*.depends_on": dependencies,
    "services.*.deploy.labels": label_pairs,
    "services.*.dns": one_or_many,
    "services.*.dns_search": one_or_many,
    "services.*.env_file": one_or_many,
    "services.*.env_file[]": under("path"),
    "services.*.environment": pairs,
    "services.*.extends": under("service"),
    "services.*.extra_hosts": hosts,
    "services.*.healthcheck.test": health_test,
    "services.*.label_file": one_or_many,
    "services.*.labels": label_pairs,
    "services.*.post_start[].environment": pairs,
    "services.*.pre_stop[].environment": pairs,
    "services.*.networks": names,
    "services.*.secrets[]": under("source"),
    "services.*.sysctls": pairs,
    "services.*.tmpfs": one_or_many,
    "services.*.volumes[].volume.labels": label_pairs,
    "networks.*.labels": label_pairs,
    "volumes.*.labels": label_pairs,
    "configs.*.labels": label_pairs,
    "secrets.*.labels": label_pairs,
}


def _ways(place: str) -> Iterator[str]:
    """Yield a place and all that it stands in.

    >>> list(_ways("include[].path"))
    ['include[].path', 'include[]', 'include', '']
    """
    yield place
    while place:
        place = place.removesuffix("[]") if place.endswith("[]") else place.rpartition(".")[0]
        yield place


_ON_THE_WAY = frozenset(way for place in LONG_FORMS for way in _ways(place))
"""Where a short form may still come below."""
