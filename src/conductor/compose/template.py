"""The grammar of interpolation.

`$X`, `${X}`, `${X:-default}`, `${X-default}`, `${X:?message}`, `${X?message}`, `${X:+other}`, `${X+other}`, nested, and `$$` for a dollar.

Law: the meaning is Compose's own (compose-spec, 12-interpolation). What a secret's name stands for is never known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from conductor.compose.node import Text
from conductor.domain.stack import SecretText

DEEPEST = 20
MOST_CHARACTERS = 4 * 1024 * 1024
"""As much text as the interpolation of one project may make: variables that double themselves end here."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")
Find = Callable[[str], Text | None]


class TemplateError(Exception):
    """The text cannot be interpolated; the message says why."""


class MissingVariableError(TemplateError):
    """`${X:?message}`, and there is no X."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"the required variable {name} is missing" + (f": {message}" if message else ""))
        self.name = name


@dataclass(slots=True)
class Budget:
    """How much text has been made."""

    made: int = 0

    def spend(self, characters: int) -> None:
        """Count. Raises `TemplateError` when it is too much."""
        self.made += characters
        if self.made > MOST_CHARACTERS:
            raise TemplateError("interpolation makes more text than any compose file needs")


@dataclass(slots=True)
class Substitution:
    """Interpolates text after text for one project. `unset` collects names that were taken for empty."""

    find: Find
    budget: Budget = field(default_factory=Budget)
    unset: set[str] = field(default_factory=set)

    def __call__(self, text: str) -> Text:
        """Interpolate. Raises `TemplateError`."""
        made = self._expand(text, 0)
        self.budget.spend(_length(made))
        return made

    def _expand(self, text: str, depth: int) -> Text:
        if depth > DEEPEST:
            raise TemplateError(f"interpolation is nested more than {DEEPEST} deep")
        pieces: list[Text] = []
        at = 0
        while (dollar := text.find("$", at)) >= 0:
            pieces.append(text[at:dollar])
            piece, at = self._expression(text, dollar, depth)
            pieces.append(piece)
        return join(*pieces, text[at:])

    def _expression(self, text: str, dollar: int, depth: int) -> tuple[Text, int]:
        """Read what starts at a dollar; return what it stands for and where the text goes on."""
        follows = text[dollar + 1 : dollar + 2]
        if follows == "$":
            return "$", dollar + 2
        if follows == "{":
            end = _closing_brace(text, dollar + 1)
            return self._braced(text[dollar + 2 : end], depth), end + 1
        name = _NAME.match(text, dollar + 1)
        return (self._value(name[0]), name.end()) if name else ("$", dollar + 1)

    def _braced(self, body: str, depth: int) -> Text:
        name = _NAME.match(body)
        operator = _OPERATOR.match(body, name.end()) if name else None
        if name is None or (operator is None and name.end() != len(body)):
            raise TemplateError(f"${{{body}}} is no valid interpolation")
        if operator is None:
            return self._value(name[0])
        return self._operate(name[0], operator[0], body[operator.end() :], depth)

    def _operate(self, name: str, operator: str, argument: str, depth: int) -> Text:
        value = self.find(name)
        message = _shown(self._expand(argument, depth + 1)) if operator.endswith("?") else ""
        there = value is not None and (value != "" or not operator.startswith(":"))
        if operator.endswith("+"):
            return self._expand(argument, depth + 1) if there else ""
        if there and value is not None:
            return value
        if operator.endswith("-"):
            return self._expand(argument, depth + 1)
        raise MissingVariableError(name, message)

    def _value(self, name: str) -> Text:
        value = self.find(name)
        if value is None:
            self.unset.add(name)
        return "" if value is None else value


def join(*pieces: Text) -> Text:
    """Put texts together: a `SecretText` if one of them is.

    >>> join("redis://:", SecretText(parts=("", "PASSWORD", "")), "@redis")
    SecretText(parts=('redis://:', 'PASSWORD', '@redis'))
    """
    parts = [""]
    for piece in pieces:
        first, *rest = piece.parts if isinstance(piece, SecretText) else (piece,)
        parts[-1] += first
        parts += rest
    return SecretText(parts=tuple(parts)) if len(parts) > 1 else parts[0]


def _closing_brace(text: str, opening: int) -> int:
    """Find the brace that closes; where braces inside do not match, the last one of the line does, as in Compose.

    Compose looks past the character after an opening brace: in `{}` nothing closes.
    """
    depth, at = 0, opening
    while at < len(text):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
        at += 2 if text[at] == "{" else 1
    line_end = text.find("\n", opening)
    last = text.rfind("}", opening, line_end if line_end >= 0 else len(text))
    if last < 0:
        raise TemplateError("a `${` is never closed")
    return last


def _shown(text: Text) -> str:
    return text if isinstance(text, str) else "${...}".join(text.parts[::2])


def _length(text: Text) -> int:
    return len(text) if isinstance(text, str) else sum(map(len, text.parts))
