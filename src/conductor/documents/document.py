"""A YAML document whose every value knows where it stands.

Law: reading never hangs, never takes more than 200 MB, and never makes anything but plain data (dict, list, str, int, float, bool, None,
and `Tagged` for the tags that a reader allows). YAML 1.2 scalars: `no` and `12:30` are text. Duplicate keys, self-references, several
documents where one is meant, and anything that is no UTF-8 are problems with a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from conductor.errors import Problem

Path = tuple[str | int, ...]
"""Where a value stands: ("services", "web", "ports", 0)."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value under a tag that the reader allowed, such as Compose's `!reset` and `!override`."""

    tag: str
    value: Any


class Document:
    """`data` is plain; `file` is how the reader of a problem knows it."""

    file: str
    data: Any

    def mark(self, path: Path, *, key: bool = False) -> Mark:
        """Return where the value (or its key) at `path` stands; the nearest ancestor's where there is none."""
        raise NotImplementedError

    def problem(self, path: Path, message: str, *, remedy: str = "", key: bool = False) -> Problem:
        """Make a problem at `path`, with the text of its line."""
        raise NotImplementedError


def read_document(content: bytes | str, *, file: str, tags: Sequence[str] = ()) -> Document:
    """Read one document. Raises `ConfigurationError` with every problem found."""
    raise NotImplementedError


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that was probably meant, or None.

    >>> nearest("comand", ["command", "image"])
    'command'
    """
    raise NotImplementedError
