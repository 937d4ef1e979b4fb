"""A value of a compose file that knows where it was written.

Law: interpolation, normalising and merging make new nodes, and every one of them still points to the line that it came from.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from conductor.documents.document import Document, Path, Tagged
from conductor.domain.stack import SecretText

Text = str | SecretText
"""What interpolation makes: plain, or with names of secrets where their values belong."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One document of a compose file. `base` is the folder that its relative paths start from, relative to the checkout."""

    document: Document
    base: str


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """`value` is a scalar, a `SecretText`, a dict of nodes or a list of nodes; `path` is where it stands in its document."""

    value: Any
    source: Source
    path: Path
    tag: str = ""
    """`!reset` or `!override`."""

    def with_value(self, value: Any) -> Node:
        """Return this place with another value."""
        return replace(self, value=value)

    def get(self, key: str) -> Node | None:
        """Return the value under a key, or None where there is none or it is null."""
        found = self.value.get(key) if isinstance(self.value, dict) else None
        return found if found is not None and found.value is not None else None

    def items(self) -> Iterator[tuple[str, Node]]:
        """Yield keys and values; nothing where this is no mapping."""
        yield from self.value.items() if isinstance(self.value, dict) else ()

    @property
    def line(self) -> int:
        """The line of its key."""
        return self.source.document.mark(self.path, key=True).line

    @property
    def place(self) -> str:
        """File and line, for messages about another place."""
        return f"{self.source.document.file}:{self.line}"

    @property
    def written(self) -> str | None:
        """How the scalar stands in the file: `0440`, `1.10`."""
        return self.source.document.written(self.path)

    def relative_to_checkout(self, path: str) -> str:
        """Read a path as its file means it, and say it relative to the checkout. Absolute ones stay as they are."""
        return (
            path
            if path.startswith(("/", "~"))
            else posixpath.normpath(posixpath.join(self.source.base, path))
        )


def graft(data: Any, source: Source, path: Path = ()) -> Node:
    """Make nodes of a document's plain data."""
    if isinstance(data, Tagged):
        return replace(graft(data.value, source, path), tag=data.tag)
    if isinstance(data, dict):
        return Node(
            {str(key): graft(value, source, (*path, key)) for key, value in data.items()}, source, path
        )
    if isinstance(data, list):
        return Node([graft(value, source, (*path, at)) for at, value in enumerate(data)], source, path)
    return Node(data, source, path)


def is_same(one: Node, other: Node) -> bool:
    """Tell whether two nodes say the same thing: equal values, with relative paths from the same folder."""
    if one.source.base != other.source.base or type(one.value) is not type(other.value):
        return False
    if isinstance(one.value, dict):
        keys = one.value.keys()
        return keys == other.value.keys() and all(is_same(one.value[key], other.value[key]) for key in keys)
    if isinstance(one.value, list):
        pairs = zip(one.value, other.value, strict=False)
        return len(one.value) == len(other.value) and all(is_same(ours, theirs) for ours, theirs in pairs)
    return bool(one.value == other.value)


def dotted(path: Path) -> str:
    """Write a path as the account shows it.

    >>> dotted(("services", "web", "ports", 0))
    'services.web.ports[0]'
    """
    shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return shown.removeprefix(".")
