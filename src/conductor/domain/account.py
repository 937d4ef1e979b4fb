"""The account of a conversion: every key of every file, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Treatment(StrEnum):
    """There is no third way."""

    CONVERTED = "converted"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One occurrence of a key. `path` is dotted (`services.web.ports[0]`); `why` and `instead` are for what is refused.

    A converted entry may carry a `note`: how it is carried, where that is not obvious.
    """

    file: str
    line: int
    path: str
    treatment: Treatment
    why: str = ""
    instead: str = ""
    note: str = ""
