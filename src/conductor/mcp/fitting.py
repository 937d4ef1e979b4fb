"""Answers that fit in a model's context: what is shown is cut to a size, and says where to go on.

Law: an answer has at most `LIMIT_BYTES` bytes: its text and its structured form together, as some clients show one and some both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from conductor.reports.readable import clean, cut

LIMIT_BYTES = 8192
_ENVELOPE_BYTES = 300
"""What the protocol puts around the two forms."""
LONGEST_LINE = 400


class Answer(BaseModel):
    """What a tool answers: as data, and in words."""

    model_config = ConfigDict(extra="forbid")

    def in_words(self) -> str:
        """Say it shortly."""
        raise NotImplementedError


A = TypeVar("A", bound=Answer)


def size_of(answer: Answer) -> int:
    """Return how many bytes it is, both forms as they go over the wire."""
    text = Words(text=answer.in_words()).model_dump_json()
    return len(text.encode()) + len(answer.model_dump_json().encode()) + _ENVELOPE_BYTES


def fits(answer: Answer) -> bool:
    """Tell whether a model gets it whole."""
    return size_of(answer) <= LIMIT_BYTES


def largest(most: int, make: Callable[[int], A], *, least: int = 0) -> A:
    """Make the answer with as many of its parts, `least` to `most`, as fit. `make(least)` has to fit by itself."""
    if fits(whole := make(most)):
        return whole
    low, high = least, most
    while low + 1 < high:
        middle = (low + high) // 2
        if fits(make(middle)):
            low = middle
        else:
            high = middle
    return make(low)


def line(text: str, length: int = LONGEST_LINE) -> str:
    """Put what others wrote on one line that has an end."""
    return cut(" ".join(clean(text).split()), length)


class Words(BaseModel):
    """A text, as it goes over the wire."""

    text: str
