"""Errors as a model reads them: what happened, what to do, and whether trying again makes sense. Never more."""

from __future__ import annotations

from conductor.domain.masking import Masker
from conductor.errors import ConductorError, NotFoundError, RefusedError, UsageError
from conductor.mcp.fitting import LIMIT_BYTES, Words
from conductor.reports.readable import clean, cut

_LENGTHS = (5000, 2500, 1000)
"""Of a message; its remedy has a fifth of that. The first that fits is taken."""
_ROOM_BYTES = LIMIT_BYTES - 500
_mask = Masker()


def in_words(error: ConductorError) -> str:
    """Say it, so that it fits."""
    message, remedy = clean(_mask(error.message)), clean(_mask(error.remedy))
    said = ""
    for length in _LENGTHS:
        what_to_do = f"\nWhat to do: {cut(remedy, length // 5)}" if remedy else ""
        said = f"{cut(message, length)}{what_to_do}\n({error.code}; {_whether_again(error)})"
        if len(Words(text=said).model_dump_json().encode()) <= _ROOM_BYTES:
            break
    return said


def _whether_again(error: ConductorError) -> str:
    if error.retryable:
        return "the same call may go well later"
    if isinstance(error, (NotFoundError, RefusedError, UsageError)):
        return "the same call will fail again: change it"
    return "the same call is not expected to go well"
