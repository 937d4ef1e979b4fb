r"""Env files that hold secrets, read byte for byte: no interpolation, and no value in any problem.

NAME=value            # up to the line's end, without blanks around it and without a comment after a blank
export NAME=value
NAME='value'          # as it stands, also over several lines
NAME="value"          # with \n, \r, \t, \" and \\; also over several lines
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from conductor.errors import ConfigurationError, Problem

_HEAD = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_BLANK = re.compile(r"[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)")
_SINGLE = re.compile(r"'(?P<text>[^']*)'")
_DOUBLE = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r"(?P<text>[^\n]*)")
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_REMEDY = "Write NAME=value, NAME='value' or NAME=\"value\"."


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    value: str
    end: int


def read_env_file(content: bytes, *, file: str) -> dict[str, str]:
    """Return the variables of a file; a later line of a name wins. Raises ConfigurationError with the line of every mistake."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        problem = Problem(file=file, line=line, message="this is no UTF-8 text")
    else:
        read = list(_entries(text, file))
        problems = [one for one in read if isinstance(one, Problem)]
        if not problems:
            return {one.name: one.value for one in read if isinstance(one, _Entry)}
        raise ConfigurationError(problems)
    raise ConfigurationError([problem])


def _entries(text: str, file: str) -> Iterator[_Entry | Problem]:
    position = 0
    while position < len(text):
        if blank := _BLANK.match(text, position):
            position = blank.end()
            continue
        read = _entry(text, position)
        if isinstance(read, _Entry):
            yield read
            position = read.end
        else:
            line = text.count("\n", 0, position) + 1
            yield Problem(file=file, line=line, message=read, remedy=_REMEDY)
            position = text.find("\n", position) + 1 or len(text)


def _entry(text: str, position: int) -> _Entry | str:
    """Read one, or say what is wrong with it."""
    head = _HEAD.match(text, position)
    if head is None:
        return "this is no NAME=value"
    start = head.end()
    quoted = {"'": _SINGLE, '"': _DOUBLE}.get(text[start : start + 1])
    if quoted is None:
        bare = _BARE.match(text, start)
        assert bare is not None  # noqa: S101 -- it matches the empty text too
        return _Entry(head["name"], _COMMENT.sub("", bare["text"]).strip(" \t\r"), bare.end())
    value = quoted.match(text, start)
    if value is None:
        return f"the quote of {head['name']} is never closed"
    if not _BLANK.match(text, value.end()):
        return f"there is something after the closing quote of {head['name']}"
    inner = value["text"]
    return _Entry(head["name"], _unescaped(inner) if quoted is _DOUBLE else inner, value.end())


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[0]), text)
