"""Colours of terminals, as pieces of text with classes: a page draws them without trusting what a container wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from conductor.reports.readable import clean

Piece = tuple[str, str]
"""The classes of a piece, with spaces between them, and its text."""

LONGEST_LINE = 4000
_COLOURS = re.compile("\x1b\\[([0-9;]{0,60})m")
_STYLES = {1: "b", 2: "d", 3: "i", 4: "u", 9: "s"}
_RESET, _NOT_BOLD = 0, 22
_EXTENDED = (38, 48)


def pieces(line: str) -> Sequence[Piece]:
    r"""Cut a line where its colour changes. A carriage return leaves what was written last; other escapes are taken out.

    >>> pieces("\x1b[1;31mred\x1b[0m <b>"), pieces("10%\r100%")
    ([('b f31', 'red'), ('', ' <b>')], [('', '100%')])
    """
    shown = line.rstrip("\r\n").rsplit("\r", 1)[-1][:LONGEST_LINE]
    return [piece for piece in _cut(shown) if piece[1]]


def _cut(line: str) -> Iterator[Piece]:
    styles: set[str] = set()
    begin = 0
    for escape in _COLOURS.finditer(line):
        yield " ".join(sorted(styles)), clean(line[begin : escape.start()])
        styles = _turn(styles, [int(code[:3] or 0) for code in escape[1].split(";")])
        begin = escape.end()
    yield " ".join(sorted(styles)), clean(line[begin:])


def _turn(styles: set[str], codes: Sequence[int]) -> set[str]:
    """Take the codes of one escape (ECMA-48, 8.3.117). Colours of 256 and more are left out: they have no contrast to go by."""
    for code in codes:
        if code in _EXTENDED:
            break
        if code == _RESET:
            styles = set()
        elif code == _NOT_BOLD:
            styles = styles - {"b", "d"}
        elif code in _STYLES:
            styles = styles | {_STYLES[code]}
        elif 30 <= code <= 39 or 90 <= code <= 97:  # noqa: PLR2004 -- the codes of the standard
            styles = {one for one in styles if not one.startswith("f")}
            styles |= set() if code == 39 else {f"f{code}"}  # noqa: PLR2004
    return styles
