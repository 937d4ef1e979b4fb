"""A YAML document whose every value knows where it stands.

Law: reading never hangs, never takes more than 200 MB, and never makes anything but plain data (dict, list, str, int, float, bool, None,
and `Tagged` for the tags that a reader allows). YAML 1.2 scalars: `no` and `12:30` are text. Duplicate keys, self-references, several
documents where one is meant, and anything that is no UTF-8 are problems with a line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from conductor.documents.nodes import Entry, Node, ScalarNode, child, plain_data
from conductor.documents.parse import Parser
from conductor.documents.text import Refusal, decode, shown
from conductor.errors import ConfigurationError, Problem

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


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """`data` is plain; `file` is how the reader of a problem knows it.

    Paths go through a `Tagged` as if it were not there. A value that came through `<<` stands where it was written.
    """

    file: str
    data: Any
    _root: Node = field(repr=False)
    _lines: Sequence[str] = field(repr=False)

    def mark(self, path: Path, *, key: bool = False) -> Mark:
        """Return where the value (or its key) at `path` stands; the nearest ancestor's where there is none."""
        place, missing = self._find(path)
        if isinstance(place, Entry) and not (key or missing):
            place = place.value
        return Mark(place.line + 1, place.column + 1)

    def written(self, path: Path) -> str | None:
        """Return how the scalar at `path` is written, without quotes (`0440`, `1.10`, `no`); None where there is none."""
        place, missing = self._find(path)
        node = place.value if isinstance(place, Entry) else place
        return node.text if isinstance(node, ScalarNode) and not missing else None

    def problem(self, path: Path, message: str, *, remedy: str = "", key: bool = False) -> Problem:
        """Make a problem at `path`, with the text of its line."""
        mark = self.mark(path, key=key)
        source = shown(self._lines[mark.line - 1]) if mark.line <= len(self._lines) else ""
        return Problem(
            file=self.file, line=mark.line, column=mark.column, message=message, remedy=remedy, source=source
        )

    def _find(self, path: Path) -> tuple[Node | Entry, bool]:
        """Walk as far as the path goes; the second is whether something of it is missing."""
        place: Node | Entry = self._root
        for part in path:
            found = child(place.value if isinstance(place, Entry) else place, part)
            if found is None:
                return place, True
            place = found
        return place, False


def read_document(content: bytes | str, *, file: str, tags: Sequence[str] = ()) -> Document:
    """Read one document; an empty file is a document of None. Raises `ConfigurationError` with every problem found.

    Empty documents beside it (a `---` at the end) do not count.
    """
    documents = read_documents(content, file=file, tags=tags)
    meant = [document for document in documents if document.data is not None] or documents[:1]
    if len(meant) > 1:
        remedy = "Keep one of them in this file."
        raise ConfigurationError([meant[1].problem((), "a second document begins here", remedy=remedy)])
    return meant[0]


def read_documents(content: bytes | str, *, file: str, tags: Sequence[str] = ()) -> tuple[Document, ...]:
    """Read all documents of a file, one at least. Raises `ConfigurationError` with every problem found.

    `tags` are those, besides YAML's own, that may stand in it: they become `Tagged`.
    """
    try:
        parser = Parser(decode(content, file=file), file=file, tags=tags)
    except Refusal as refusal:
        raise ConfigurationError([refusal.problem]) from None
    roots: list[Node] = []
    try:
        roots += parser.documents()
    except Refusal as refusal:
        parser.problems.append(refusal.problem)
    if parser.problems:
        raise ConfigurationError(parser.problems)
    return tuple(
        Document(file, plain_data(root, Tagged), root, parser.lines) for root in roots or [ScalarNode(0, 0)]
    )


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that was probably meant, or None.

    >>> nearest("comand", ["command", "image"])
    'command'
    """
    known = {candidate.lower(): candidate for candidate in islice(candidates, 1000)}
    close = difflib.get_close_matches(word[:64].lower(), known, n=1, cutoff=0.6)
    return known[close[0]] if close else None
