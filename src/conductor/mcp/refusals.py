"""Errors as a model reads them: what happened, what to do, and whether trying again makes sense. Never more."""

from __future__ import annotations

from conductor.domain.masking import Masker
from conductor.errors import ConductorError, NotFoundError, RefusedError, UsageError
from conductor.reports.readable import clean, cut

_MESSAGE, _REMEDY = 5000, 1000
_mask = Masker()


def in_words(error: ConductorError) -> str:
    """Say it."""
    lines = [cut(clean(_mask(error.message)), _MESSAGE)]
    if error.remedy:
        lines.append(f"What to do: {cut(clean(_mask(error.remedy)), _REMEDY)}")
    lines.append(f"({error.code}; {_whether_again(error)})")
    return "\n".join(lines)


def _whether_again(error: ConductorError) -> str:
    if error.retryable:
        return "the same call may go well later"
    if isinstance(error, (NotFoundError, RefusedError, UsageError)):
        return "the same call will fail again: change it"
    return "the same call is not expected to go well"
