"""Text that others wrote, made readable: no control characters, no escapes of terminals, cut to a length.

Law: what comes out has no control character but line feed and tab, and nothing that turns the direction of the text after it.
"""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    "\x1b(?:\\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    "|[\\]PX^_][^\x07\x1b\n<]{0,2000}(?:\x07|\x1b\\\\)"  # OSC and other strings: titles, links
    "|[@-Z\\\\-_])"
    "|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # invisible, and what turns the direction of text
    "\ud800-\udfff]"
)


def clean(text: str) -> str:
    r"""Take out escapes of terminals and control characters; line ends become line feeds.

    >>> clean("\x1b[31mred\x1b[0m\r\nnext\x00")
    'red\nnext'
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n")
    return _CONTROL.sub("", without_escapes(text))


def without_escapes(text: str) -> str:
    """Take out the escapes of terminals, whole."""
    return _ESCAPES.sub("", text)


def on_one_line(text: str) -> str:
    r"""Make one line of it.

    >>> on_one_line("a\n\n  b\tc ")
    'a b c'
    """
    return " ".join(clean(text).split())


def cut(text: str, length: int) -> str:
    """Keep the beginning, at most `length` characters, and say that there was more.

    >>> cut("abcdefgh", 5)
    'abcd…'
    """
    return text if len(text) <= length else text[: max(length - 1, 0)].rstrip() + "…"[:length]


def cut_middle(text: str, length: int) -> str:
    """Keep beginning and end, at most `length` characters: a stack trace says what at one end and where at the other."""
    if len(text) <= length:
        return text
    left_out = f"\n… {len(text) - length} characters left out …\n"
    room = length - len(left_out)
    if room < length // 2:
        return cut(text, length)
    return text[: room // 2] + left_out + text[len(text) - (room - room // 2) :]


def cut_head(text: str, length: int) -> str:
    """Keep the end, at most `length` characters: of what was written, the last is what was near the failure."""
    return text if len(text) <= length else "…" + text[len(text) - length + 1 :]
