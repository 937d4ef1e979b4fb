"""XML that somebody else wrote, read with a guard: no entities of its own, no endless depth, no endless size.

Law: whatever the bytes are, reading ends, in time and memory that grow with their length, and never raises: a tree that is not whole
comes with the reason. What stood before the mistake is kept, since a killed test command leaves half a report.
"""

from __future__ import annotations

import codecs
import re
import sys
from dataclasses import dataclass
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from conductor.reports.readable import without_escapes

MAX_BYTES = 32 * 2**20
MAX_DEPTH = 100
MAX_ELEMENTS = 500_000

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,8}));")


@dataclass(frozen=True, slots=True)
class Tree:
    """What could be read: `root` None where there was nothing; `problem` empty where all of it was read."""

    root: Element | None
    problem: str = ""


class _Refused(Exception):  # noqa: N818 -- it never leaves this module
    """The guard said no."""


def read_tree(content: bytes) -> Tree:
    """Read it strictly; where that fails, once more without what is no XML (stray bytes and characters)."""
    if len(content) > MAX_BYTES:
        return Tree(None, f"is larger than {MAX_BYTES // 2**20} MiB")
    if not content.strip(b"\x00\t\n\r \xef\xbb\xbf\xfe\xff"):
        return Tree(None, "is empty")
    strict = _Reader().read(content)
    if not strict.problem or strict.problem.startswith("declares"):
        return strict
    mended = _Reader(encoding="utf-8").read(_mend(content))
    return mended if not mended.problem else max(strict, mended, key=_size)


def _size(tree: Tree) -> int:
    return 0 if tree.root is None else sum(1 for _ in tree.root.iter())


def _mend(content: bytes) -> bytes:
    """Decode by what the file declares, drop what XML does not allow, and encode as UTF-8."""
    text = content.decode(_encoding(content), errors="replace").lstrip("\ufeff\x00 \t\r\n")
    return _NOT_IN_XML.sub("", without_escapes(_REFERENCE.sub(_resolved, text))).encode()


def _encoding(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    declared = _DECLARED.match(content)
    try:
        info = codecs.lookup(declared.group(1).decode("ascii")) if declared else codecs.lookup("utf-8")
    except LookupError:
        return "utf-8"
    return info.name if info._is_text_encoding else "utf-8"  # noqa: SLF001 -- codecs has no other way to tell


def _resolved(reference: re.Match[str]) -> str:
    """Leave a reference to a character that XML allows; make the character itself of another, to be taken out."""
    code = int(reference[1], 16) if reference[1] else int(reference[2])
    if code > sys.maxunicode:
        return ""
    return chr(code) if _NOT_IN_XML.match(chr(code)) else reference[0]


class _Reader:
    """One reading: expat's events, counted, into a tree."""

    def __init__(self, *, encoding: str | None = None) -> None:
        self._builder = TreeBuilder()
        self._open: list[str] = []
        self._elements = 0
        self._parser = expat.ParserCreate(encoding, namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.EntityDeclHandler = self._refuse_entity
        self._parser.ExternalEntityRefHandler = self._refuse_entity

    def read(self, content: bytes) -> Tree:
        """Return the tree, whole or as far as it went."""
        try:
            self._parser.Parse(content, True)
        except _Refused as refusal:
            return Tree(None if str(refusal).startswith("declares") else self._close(), str(refusal))
        except (expat.ExpatError, ValueError, LookupError) as error:
            return Tree(self._close(), f"is no well-formed XML: {error}")
        return Tree(self._close())

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._open) >= MAX_DEPTH:
            raise _Refused(f"nests elements more than {MAX_DEPTH} deep")
        if self._elements > MAX_ELEMENTS:
            raise _Refused(f"has more than {MAX_ELEMENTS} elements")
        local = _local(tag)
        self._open.append(local)
        self._builder.start(local, {_local(name): value for name, value in attributes.items()})

    def _end(self, _tag: str) -> None:
        self._builder.end(self._open.pop())

    def _text(self, data: str) -> None:
        if self._open:
            self._builder.data(data)

    def _refuse_entity(self, *_arguments: object) -> int:
        raise _Refused("declares entities, which are never read")

    def _close(self) -> Element | None:
        """Close what is open: what was cut off is marked with the attribute `cut-off`."""
        if not self._elements:
            return None
        while self._open:
            self._builder.end(self._open.pop()).set("cut-off", "true")
        root = self._builder.close()
        return root if isinstance(root, Element) else None


def _local(name: str) -> str:
    """Name it without its namespace."""
    return name.rpartition(" ")[2]
