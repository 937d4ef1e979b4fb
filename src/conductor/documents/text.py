"""From bytes to text: UTF-8 or a problem that says what it is instead."""

from __future__ import annotations

import codecs
import re

from conductor.errors import Problem

MAX_BYTES = 1024 * 1024
"""The longest document that is read. The longest compose file among hundreds of real ones has 10 kB."""

_OTHER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What YAML 1.2, section 5.1, keeps out of a stream; a byte order mark inside is refused too."""
_TAG_DIRECTIVE = re.compile(r"^%TAG\b", re.MULTILINE)
"""Abbreviations of tags: the parser's time grows with their square, and no file that is read here needs one."""
_DECEPTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Controls and marks that make a terminal or a page show something else than what is there."""


class Refusal(Exception):  # noqa: N818 -- carries a problem, becomes a ConfigurationError at the door
    """The one problem that stops the reading."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def decode(content: bytes | str, *, file: str) -> str:
    """Return the text without its byte order mark, or raise `Refusal`."""
    if len(content) > MAX_BYTES:
        raise Refusal(
            Problem(file=file, message=f"the file is longer than {MAX_BYTES // 1024} kB", remedy="Split it.")
        )
    text = _decode_bytes(content, file=file) if isinstance(content, bytes) else content.removeprefix("\ufeff")
    if found := _FORBIDDEN.search(text):
        name = "a NUL character" if found[0] == "\0" else f"the control character U+{ord(found[0]):04X}"
        raise Refusal(problem_at(text, found.start(), file, f"{name} cannot stand in YAML", "Remove it."))
    if found := _TAG_DIRECTIVE.search(text):
        raise Refusal(problem_at(text, found.start(), file, "%TAG lines are not read", "Write the tag out."))
    return text


def _decode_bytes(content: bytes, *, file: str) -> str:
    for mark, name in _OTHER_MARKS.items():
        if content.startswith(mark):
            raise Refusal(
                Problem(file=file, line=1, message=f"the file is {name}", remedy="Save it as UTF-8.")
            )
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        text = content.decode(errors="replace")
        position = len(content[: error.start].decode(errors="replace"))
        message = f"the byte 0x{content[error.start]:02x} is no UTF-8"
        raise Refusal(problem_at(text, position, file, message, "Save the file as UTF-8.")) from None


def problem_at(text: str, position: int, file: str, message: str, remedy: str) -> Problem:
    """Make a problem at an offset of the text."""
    before = lines_of(text[:position])
    line, column = len(before), len(before[-1]) + 1
    return Problem(
        file=file,
        line=line,
        column=column,
        message=message,
        remedy=remedy,
        source=shown(lines_of(text)[line - 1]),
    )


def lines_of(text: str) -> list[str]:
    """Split as YAML does; the line numbers of the parser are indexes of this list plus one."""
    return _BREAK.split(text)


def shown(text: str) -> str:
    r"""Make text of a repository safe to print, character for character.

    >>> shown("a\x1b[31mb")
    'a�[31mb'
    """
    return _DECEPTIVE.sub("\ufffd", text)


def quoted(text: str, *, length: int = 60) -> str:
    """Quote a word of the file for a message, cut to a readable length.

    >>> quoted("image")
    '`image`'
    """
    cut = text if len(text) <= length else text[: length - 1] + "…"
    return f"`{shown(cut).replace(chr(10), ' ')}`"
