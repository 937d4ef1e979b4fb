"""What a word in a YAML file is: the core schema of YAML 1.2 (section 10.3.2), and nothing of 1.1.

`no`, `on`, `12:30`, `1_000` and `2026-01-01` are text; `010` is ten.
"""

from __future__ import annotations

import math
import re

from conductor.documents.text import quoted

_PREFIX = "tag:yaml.org,2002:"
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_DECIMAL = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_INFINITE = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_NAN = frozenset({".nan", ".NaN", ".NAN"})
_LONGEST_NUMBER = 100
"""In characters. Longer ones take time that grows with the square, and no key of any file means them."""

Scalar = str | int | float | bool | None


class ScalarError(ValueError):
    """The scalar is not what its tag says, or a number that nobody can mean."""


def resolve(text: str, *, plain: bool, tag: str | None) -> Scalar:
    """Return the value of a scalar. `tag` None or `!` is what the file leaves open. Raises `ScalarError`."""
    match (tag or "").removeprefix(_PREFIX):
        case "":
            return _plain(text) if plain else text
        case "!" | "str":
            return text
        case "null" | "bool" | "int" | "float" as kind:
            return _as(kind, text)
    raise ScalarError(f"the tag {quoted((tag or '').replace(_PREFIX, '!!'))} is not allowed here")


def _plain(text: str) -> Scalar:
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text[0] in "+-.0123456789":
        return _number(text)
    return text


def _number(text: str) -> Scalar:
    whole = _DECIMAL.fullmatch(text) or _OCTAL.fullmatch(text) or _HEX.fullmatch(text)
    if (whole or _FLOAT.fullmatch(text)) and len(text) > _LONGEST_NUMBER:
        raise ScalarError(f"a number of {len(text)} characters; if it is text, quote it")
    if whole:
        return int(text, 10 if _DECIMAL.fullmatch(text) else 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if infinite := _INFINITE.fullmatch(text):
        return -math.inf if infinite[1] == "-" else math.inf
    return math.nan if text in _NAN else text


def _as(kind: str, text: str) -> Scalar:
    value = _plain(text)
    right = {"null": value is None, "bool": isinstance(value, bool), "int": type(value) is int}
    if kind == "float" and type(value) in (int, float):
        return float(value)  # type: ignore[arg-type]  # the line above has looked
    if right.get(kind):
        return value
    raise ScalarError(f"{quoted(text)} is no {kind}, which its tag says it is")
