"""From text to nodes, on the events of libyaml: no recursion, and a budget for everything that can explode.

Law: the work is bounded by the text's length and by MAX_NODES. An alias costs what it stands for, and so does a merge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import yaml
from yaml import events as ev
from yaml._yaml import CParser

from conductor.documents.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode
from conductor.documents.scalars import ScalarError, resolve
from conductor.documents.text import Refusal, lines_of, quoted, shown
from conductor.errors import Problem

MAX_NODES = 100_000
"""How many values a file may have after its aliases are written out; long text counts as one for each 128 characters."""
MAX_DEPTH = 64
MAX_PROBLEMS = 50
"""After so many the rest is not looked for."""

_COLLECTIONS = {None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
_MERGE = "<<"


@dataclass(slots=True)
class _Open:
    """A collection that is being read."""

    node: SequenceNode | MappingNode
    anchor: str | None
    tag: str | None
    key: Node | None = None
    merges: list[Node] = field(default_factory=list)
    merge_key: ScalarNode | None = None


class Parser:
    """Reads all documents of one text. `problems` collects what does not stop the reading."""

    def __init__(self, text: str, *, file: str, tags: Sequence[str]) -> None:
        self.file = file
        self.lines = lines_of(text)
        self.problems: list[Problem] = []
        self._text = text
        self._tags = frozenset(tags)
        self._nodes = 0
        self._anchors: dict[str, Node | None] = {}
        self._open: list[_Open] = []
        self._root: Node | None = None

    def documents(self) -> Iterator[Node]:
        """Yield the root of each document. Raises `Refusal` where the text is no YAML or breaks a guard."""
        parser = CParser(self._text)
        try:
            while event := parser.get_event():
                if isinstance(event, ev.DocumentEndEvent) and self._root is not None:
                    yield self._root
                    self._anchors, self._root = {}, None
                else:
                    self._take(event)
        except yaml.MarkedYAMLError as error:
            raise Refusal(self._syntax(error)) from None
        finally:
            parser.dispose()

    def at(self, node: Node | Entry, message: str, remedy: str = "") -> Problem:
        """Make a problem at a node."""
        return self._at(node.line, node.column, message, remedy)

    def _take(self, event: ev.Event) -> None:
        match event:
            case ev.ScalarEvent():
                self._scalar(event)
            case ev.AliasEvent():
                self._alias(event)
            case ev.SequenceStartEvent():
                self._start(event, SequenceNode(*_place_of(event)))
            case ev.MappingStartEvent():
                self._start(event, MappingNode(*_place_of(event)))
            case ev.SequenceEndEvent() | ev.MappingEndEvent():
                self._end()

    def _scalar(self, event: ev.ScalarEvent) -> None:
        plain = event.implicit[0] and event.style in ("", None)
        node = ScalarNode(
            *_place_of(event), text=event.value, plain=plain, weight=1 + len(event.value) // 128
        )
        if event.tag in self._tags:
            node.tag, tag, plain = event.tag, None, event.style in ("", None)
        else:
            tag = event.tag
        if "\0" in event.value:
            self._note(self.at(node, "a NUL character cannot stand in a value", "Remove it."))
        try:
            node.value = resolve(event.value, plain=plain, tag=tag)
        except ScalarError as error:
            self._note(self.at(node, str(error)))
        self._done(node, event.anchor)

    def _alias(self, event: ev.AliasEvent) -> None:
        here, anchor = Node(*_place_of(event)), event.anchor or ""
        name = quoted(anchor)
        if anchor not in self._anchors:
            message = f"there is no anchor {name} above this line"
            raise Refusal(self.at(here, message, f"Put `&{shown(anchor)[:60]}` at the value that is meant."))
        target = self._anchors[anchor]
        if target is None:
            raise Refusal(self.at(here, f"{name} contains itself", "Write out what is meant."))
        self._place(target, here)

    def _start(self, event: ev.CollectionStartEvent, node: SequenceNode | MappingNode) -> None:
        if event.tag in self._tags:
            node.tag = event.tag
        elif event.tag not in _COLLECTIONS:
            self._note(
                self.at(
                    node,
                    f"the tag {quoted((event.tag or '').replace('tag:yaml.org,2002:', '!!'))} is not allowed here",
                )
            )
        if len(self._open) >= MAX_DEPTH:
            raise Refusal(self.at(node, f"the file nests deeper than {MAX_DEPTH} levels"))
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._open.append(_Open(node, event.anchor, event.tag))

    def _end(self) -> None:
        top = self._open.pop()
        if isinstance(top.node, MappingNode):
            self._merge(top.node, top.merges)
        self._done(top.node, top.anchor)

    def _done(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        self._nodes += 1
        self._place(node, node)

    def _place(self, node: Node, here: Node) -> None:
        """Put a finished node, or what an alias at `here` stands for, where it belongs."""
        if not self._open:
            self._root = node
            self._weigh(node, here)
            return
        top = self._open[-1]
        if isinstance(top.node, SequenceNode):
            top.node.items.append(node)
            self._add_weight(top.node, node, here)
        elif top.key is None:
            top.key = self._key(node, here)
        else:
            self._pair(top, top.key, node, here)
            top.key = None

    def _key(self, node: Node, here: Node) -> Node:
        if not isinstance(node, ScalarNode):
            raise Refusal(
                self.at(
                    here, "a list or a mapping cannot be a key", "Keys are words; quote it if it is text."
                )
            )
        if node.value is None and node.plain:
            self._note(
                self.at(here, "a key is missing before the `:`", "Quote it if the word `null` is meant.")
            )
        return ScalarNode(here.line, here.column, text=node.text, plain=node.plain)

    def _pair(self, top: _Open, key: Node, node: Node, here: Node) -> None:
        assert isinstance(top.node, MappingNode)  # noqa: S101 -- the caller has looked
        assert isinstance(key, ScalarNode)  # noqa: S101 -- made by _key
        if key.text == _MERGE and key.plain:
            self._merge_pair(top, key, node, here)
        elif (first := top.node.entries.get(key.text)) is not None:
            self._twice(key, first.line)
        else:
            top.node.entries[key.text] = Entry(key.line, key.column, node)
            self._add_weight(top.node, node, here)

    def _merge_pair(self, top: _Open, key: ScalarNode, node: Node, here: Node) -> None:
        if top.merge_key is not None:
            self._twice(key, top.merge_key.line, "Write one `<<: [*first, *second]`.")
        top.merge_key = key
        sources = node.items if isinstance(node, SequenceNode) else [node]
        if node.tag is None and all(isinstance(s, MappingNode) and s.tag is None for s in sources):
            top.merges += sources
        else:
            self._note(
                self.at(
                    here,
                    "`<<` takes a mapping or a list of mappings",
                    "Give it `*` and the name of an anchor.",
                )
            )

    def _merge(self, node: MappingNode, sources: Sequence[Node]) -> None:
        """Add what is not there yet: the mapping's own keys win, then those of the earlier source."""
        for source in sources:
            assert isinstance(source, MappingNode)  # noqa: S101 -- _merge_pair lets no other through
            self._nodes += len(source.entries)
            for key, entry in source.entries.items():
                if key not in node.entries:
                    node.entries[key] = Entry(entry.line, entry.column, entry.value, merged=True)
                    self._add_weight(node, entry.value, node)
            self._weigh(node, node)

    def _twice(self, key: ScalarNode, first: int, remedy: str = "Remove one of them.") -> None:
        message = f"the key {quoted(key.text)} is here twice: it stands on line {first + 1} already"
        self._note(self.at(key, message, remedy))

    def _add_weight(self, parent: Node, node: Node, here: Node) -> None:
        parent.weight += node.weight
        parent.height = max(parent.height, node.height + 1)
        self._weigh(parent, here)

    def _weigh(self, node: Node, here: Node) -> None:
        if max(node.weight, self._nodes) > MAX_NODES:
            message = f"the file has more than {MAX_NODES} values after its aliases are written out"
            raise Refusal(self.at(here, message, "Use fewer of them."))
        if node.height > MAX_DEPTH:
            raise Refusal(self.at(here, f"the file nests deeper than {MAX_DEPTH} levels"))

    def _note(self, problem: Problem) -> None:
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            raise Refusal(
                Problem(
                    file=self.file, message="more problems than are listed here", remedy="Mend these first."
                )
            )

    def _at(self, line: int, column: int, message: str, remedy: str = "") -> Problem:
        source = shown(self.lines[line]) if line < len(self.lines) else ""
        return Problem(
            file=self.file, line=line + 1, column=column + 1, message=message, remedy=remedy, source=source
        )

    def _syntax(self, error: yaml.MarkedYAMLError) -> Problem:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        said = str(error.problem or error.context or "cannot be read")
        at_tab = line < len(self.lines) and "\t" in self.lines[line][: column + 1]
        if "cannot start any token" in said and at_tab:
            return self._at(line, column, "a tab stands where only spaces may", "Indent with spaces.")
        message, remedy = _SYNTAX.get(said, (f"this is no YAML: {said}", ""))
        return self._at(line, column, message, remedy)


def _place_of(event: ev.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line, mark.column) if mark else (0, 0)


_SYNTAX = {
    "mapping values are not allowed in this context": (
        "a `:` stands where no key can be",
        "Check the indentation of this line and of the one above; quote text that contains `: `.",
    ),
    "did not find expected key": (
        "no key is here, where one must stand",
        "Check the indentation; quote text that starts with a special character.",
    ),
    "could not find expected ':'": (
        "a `:` is missing after the key",
        "Write `key: value`; check the indentation.",
    ),
    "did not find expected '-' indicator": (
        "the list ends here without a `-`",
        "Check the indentation: items of one list stand under each other.",
    ),
    "did not find expected ',' or ']'": (
        "a `,` or the `]` of the list is missing",
        "Close the list that was opened with `[`.",
    ),
    "did not find expected ',' or '}'": (
        "a `,` or the `}` is missing",
        "Close the mapping that was opened with `{`.",
    ),
    "found unexpected end of stream": ("the file ends inside a quoted text", "Close the quote."),
    "did not find expected <document start>": (
        "the text goes on after the document has ended",
        "Check the indentation.",
    ),
    "found character that cannot start any token": (
        "a special character (`@`, a backquote or `%`) starts a value",
        "Quote the value.",
    ),
    "found unknown escape character": (
        "an unknown escape in a quoted text",
        "Write `\\\\`, or use single quotes.",
    ),
}
