"""Where the keys of a YAML file stand, told by PyYAML alone: nothing of Conductor's own reader has a part in it."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

MERGE = "tag:yaml.org,2002:merge"

Place = tuple[int, int]
"""Line and column, from 1."""


def key_places(text: str) -> set[Place]:
    """Return the place of every key that is written; `<<` is YAML's own word, and no key."""
    seen: set[int] = set()
    return {place for root in yaml.compose_all(text, Loader=yaml.SafeLoader) for place in _below(root, seen)}


def _below(node: yaml.Node | None, seen: set[int]) -> Iterator[Place]:
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _below(item, seen)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.tag != MERGE:
                yield key.start_mark.line + 1, key.start_mark.column + 1
            yield from _below(value, seen)
