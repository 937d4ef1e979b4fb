"""Scalars: durations, sizes, numbers, truth, words of a command. Readers take a node and raise `MistakeError` at its place."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TypeVar

from conductor.compose.findings import MistakeError, RefusalError
from conductor.compose.node import Node
from conductor.domain.stack import SecretText

_T = TypeVar("_T")
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w)")
_SECONDS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0,
}  # fmt: skip
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(?:([kmgtp])(?:i?b)?|b)?", re.IGNORECASE)
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_LONGEST = 64
_MOST = 1e15
_MOST_DIGITS = 1e21
_ALL_RIGHTS = 0o7777
_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.""", re.DOTALL)
_TRUE = frozenset({"true", "yes", "on", "y"})
_FALSE = frozenset({"false", "no", "off", "n"})


def kind(node: Node) -> str:
    """Name what stands there, for messages."""
    names = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(type(node.value), "a number")


def no_secret(node: Node) -> Node:
    """Return the node, if no secret is in it: its value must not come into images, commands, labels or logs."""
    if isinstance(node.value, SecretText):
        name = node.value.names[0]
        remedy = f"Give it to the service under `environment:` and let the program read ${name} there (`$${name}` in a shell command)."
        raise RefusalError(
            node, f"the secret {name}", "outside `environment` its value can be read", instead=remedy
        )
    return node


def text(node: Node) -> str:
    """Read text; numbers and truth are taken as they would be printed."""
    value = no_secret(node).value
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return scalar_text(node)
    raise MistakeError(node, f"expected text, found {kind(node)}")


def scalar_text(node: Node) -> str:
    """Print a number or truth as Compose does: `1.50` is 1.5, `012` is octal, `1e3` is 1000."""
    value = node.value
    if isinstance(value, bool):
        return "true" if value else "false"
    written = node.written or ""
    if re.fullmatch(r"[-+]?0[0-7]+", written):
        return str(int(written, 8))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _MOST_DIGITS else repr(value)
    return str(value)


def strict_text(node: Node) -> str:
    """Read text where Compose takes nothing else."""
    if isinstance(no_secret(node).value, str):
        return str(node.value)
    raise MistakeError(node, f"expected text, found {kind(node)}", remedy="Put it in quotes.")


def integer(node: Node) -> int:
    """Read a whole number, or text that is one."""
    value = no_secret(node).value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    raise MistakeError(node, f"expected a whole number, found {_found(node)}")


def number(node: Node) -> float:
    """Read a number that is not below nought, or text that is one."""
    value = no_secret(node).value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _MOST:
        return float(value)
    if isinstance(value, str) and re.fullmatch(r"\d{1,15}(\.\d{1,15})?|\.\d{1,15}", value):
        return float(value)
    raise MistakeError(node, f"expected a number, found {_found(node)}")


def boolean(node: Node) -> bool:
    """Read true or false, or text that Compose takes for one."""
    value = no_secret(node).value
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise MistakeError(node, f"expected true or false, found {_found(node)}")


def duration(node: Node) -> timedelta:
    """Read `1m30s`, `500ms`, `1.5h`, `2d`."""
    value = strict_text(node)
    found = _DURATION.findall(value) if len(value) <= _LONGEST else []
    if value != "0" and ("".join(count + unit for count, unit in found) != value or not value):
        raise MistakeError(
            node, f"`{value[:_LONGEST]}` is no duration", remedy="Write it with its unit: 30s, 1m30s, 500ms."
        )
    try:
        return timedelta(seconds=sum(float(count) * _SECONDS[unit] for count, unit in found))
    except OverflowError:
        raise MistakeError(node, f"`{value}` is longer than time itself") from None


def size(node: Node) -> int:
    """Read bytes: a number, or `64m`, `1.5g`, `512kb`, `1GiB`; units are powers of 1024."""
    value = no_secret(node).value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**62:
        return int(value)
    found = _SIZE.fullmatch(value) if isinstance(value, str) and len(value) <= _LONGEST else None
    if not found:
        raise MistakeError(node, f"{_found(node)} is no size", remedy="Write bytes, or 64k, 512m, 1.5g.")
    made = float(found[1]) * 1024 ** _POWERS.get((found[2] or "").lower(), 0)
    if made >= 2**62:
        raise MistakeError(node, f"`{value}` is more than any machine has")
    return int(made)


def file_mode(node: Node) -> int:
    """Read permissions: `0440` and "0440" are octal, as Compose has it."""
    digits = node.written if isinstance(node.value, int) else no_secret(node).value
    if isinstance(digits, str) and re.fullmatch(r"0?o?[0-7]{1,5}", digits):
        quoted = isinstance(node.value, str)
        return int(digits.replace("o", ""), 8 if quoted or digits.startswith("0") else 10)
    if isinstance(node.value, int) and not isinstance(node.value, bool) and 0 <= node.value <= _ALL_RIGHTS:
        return node.value
    raise MistakeError(node, f"{_found(node)} are no permissions", remedy='Write them in octal: "0440".')


def mapping(node: Node) -> dict[str, Node]:
    """Read a mapping; nothing is an empty one."""
    if node.value is None:
        return {}
    if isinstance(node.value, dict):
        return node.value
    raise MistakeError(node, f"expected a mapping, found {kind(node)}")


def sequence(node: Node) -> list[Node]:
    """Read a list; nothing is an empty one."""
    if node.value is None:
        return []
    if isinstance(node.value, list):
        return node.value
    raise MistakeError(node, f"expected a list, found {kind(node)}")


def many(read: Callable[[Node], _T]) -> Callable[[Node], tuple[_T, ...]]:
    """Make a reader of a list from a reader of its items."""
    return lambda node: tuple(read(item) for item in sequence(node))


texts = many(text)
strict_texts = many(strict_text)


def count(node: Node) -> int:
    """Read a whole number that is not below nought."""
    found = integer(node)
    if found < 0:
        raise MistakeError(node, f"`{found}` is below nought")
    return found


def text_map(node: Node) -> Mapping[str, str]:
    """Read a mapping of texts; a key without a value is empty."""
    return {key: "" if value.value is None else text(value) for key, value in mapping(node).items()}


def choice(*words: str) -> Callable[[Node], str]:
    """Make a reader of one of some words."""

    def read(node: Node) -> str:
        found = text(node)
        if found not in words:
            raise MistakeError(node, f"`{found[:_LONGEST]}` is not one of {', '.join(words)}")
        return found

    return read


def command(node: Node) -> tuple[str, ...]:
    """Read a command: a list as it stands, text split into words; no shell is involved.

    Compose stops reading text at an operator of the shell (`&&`, `|`, `>`), and so nobody means it: it is a mistake here.
    """
    if isinstance(node.value, list):
        return tuple(strict_text(item) for item in node.value)
    if node.value is None:
        return ()
    if not isinstance(no_secret(node).value, str):
        raise MistakeError(node, f"expected text or a list, found {kind(node)}")
    return _split(node)


def _split(node: Node) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(node.value))
    except ValueError as error:
        message = f"the command cannot be split into words: {str(error).lower()}"
        raise MistakeError(node, message, remedy="Write it as a list.") from None
    if re.search(r"[&|;<>]", _QUOTED.sub("", node.value)):
        remedy = 'A command is not read by a shell. Write ["sh", "-c", "..."].'
        raise MistakeError(
            node, "the command has an operator of the shell, where Compose stops reading", remedy=remedy
        )
    return words


def _found(node: Node) -> str:
    scalar = isinstance(node.value, str | int | float) and not isinstance(node.value, bool)
    return f"`{str(node.value)[:_LONGEST]}`" if scalar else kind(node)
