"""The tree between the parser's events and plain data: every node knows its place and what it weighs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from conductor.documents.scalars import Scalar


@dataclass(slots=True)
class Node:
    """A place in the file. Lines and columns count from 0, as the parser has them.

    `weight` is the number of nodes below and including this one after every alias is written out; `height` how deep they nest.
    """

    line: int
    column: int
    tag: str | None = None
    weight: int = 1
    height: int = 1


@dataclass(slots=True)
class ScalarNode(Node):
    """A word. `text` is how it is written, without quotes."""

    text: str = ""
    plain: bool = True
    value: Scalar = None


@dataclass(slots=True)
class SequenceNode(Node):
    """A list."""

    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """A key with its place, and its value. `merged`: it came through `<<`."""

    line: int
    column: int
    value: Node
    merged: bool = False


@dataclass(slots=True)
class MappingNode(Node):
    """A mapping; keys are text."""

    entries: dict[str, Entry] = field(default_factory=dict)


def child(node: Node, part: str | int) -> Entry | Node | None:
    """Return what stands under one part of a path, or None."""
    if isinstance(node, MappingNode):
        return node.entries.get(part) if isinstance(part, str) else None
    if isinstance(node, SequenceNode) and isinstance(part, int) and -1 < part < len(node.items):
        return node.items[part]
    return None


def plain_data(node: Node, tagged: Callable[[str, Any], Any]) -> Any:
    """Write it out as fresh data: nothing is shared, so that a change at one place changes no other.

    `tagged(tag, value)` wraps what bears an allowed tag.
    """
    value: Any
    if isinstance(node, MappingNode):
        value = {key: plain_data(entry.value, tagged) for key, entry in node.entries.items()}
    elif isinstance(node, SequenceNode):
        value = [plain_data(item, tagged) for item in node.items]
    elif isinstance(node, ScalarNode):
        value = node.value
    return tagged(node.tag, value) if node.tag else value
