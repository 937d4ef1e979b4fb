"""Text that others wrote, made fit for a terminal.

Law: of what a repository, a container or a file wrote, nothing steers the terminal but colours (SGR), and those only where
they are asked for.
"""

from __future__ import annotations

import re

_SGR = re.compile(r"\x1b\[[0-9;:]*m")
_SEQUENCE = re.compile(
    r"""
      \x1b\[ [0-?]* [ -/]* [@-~]                    # CSI
    | \x1b[\]PX^_] .*? (?: \x07 | \x1b\\ | \Z )     # OSC, DCS, SOS, PM, APC: up to their end
    | \x1b [ -/]* [0-~]                             # two-character sequences
    | \x9b [0-?]* [ -/]* [@-~]
    """,
    re.VERBOSE | re.DOTALL,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_COLOUR_KEPT = re.compile(f"({_SGR.pattern})")


def clean(text: str) -> str:
    r"""Take every control sequence out; line feeds and tabs stay.

    >>> clean("a\x1b[31mb\x1b]0;title\x07c\rd")
    'abcd'
    """
    return _CONTROL.sub("", _SEQUENCE.sub("", text))


def clean_coloured(text: str) -> str:
    r"""Take every control sequence out but colours, which end where the text ends.

    >>> clean_coloured("\x1b[31mred\x1b[2J")
    '\x1b[31mred\x1b[0m'
    """
    pieces = _COLOUR_KEPT.split(text)
    kept = "".join(
        piece if odd else clean(piece) for piece, odd in zip(pieces, _alternate(len(pieces)), strict=True)
    )
    return f"{kept}\x1b[0m" if len(pieces) > 1 else kept


def one_line(text: str) -> str:
    """Clean it and put it on one line."""
    return " ".join(clean(text).split())


def _alternate(count: int) -> list[bool]:
    return [bool(number % 2) for number in range(count)]
