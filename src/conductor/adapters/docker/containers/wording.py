"""How texts and paths are put: shown to people with secrets by their names, or told to the engine with their values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from conductor.domain.stack import SecretText
from conductor.ports.engine import Place


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """How texts and paths are put: shown to people, or told to the engine."""

    text: Callable[[str | SecretText], str]
    secret: Callable[[str], str]
    source: Callable[[str], str]
    """From a path in the checkout to one on this machine."""


def for_people(place: Place) -> Wording:
    """Put secrets by their names."""
    return Wording(
        text=lambda value: value if isinstance(value, str) else with_secrets(value, _by_name),
        secret=_by_name,
        source=lambda path: f"{place.checkout}/{path}",
    )


def with_secrets(text: SecretText, value: Callable[[str], str]) -> str:
    """Put a text together.

    >>> with_secrets(SecretText(parts=("redis://:", "PASSWORD", "@redis")), lambda name: "${" + name + "}")
    'redis://:${PASSWORD}@redis'
    """
    return "".join(value(part) if index % 2 else part for index, part in enumerate(text.parts))


def _by_name(name: str) -> str:
    return f"${{{name}}}"
