"""The account of a conversion: every key of every file, and what became of it, on each engine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Treatment(StrEnum):
    """There is no third way."""

    CONVERTED = "converted"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineRefusal:
    """What one engine cannot do of what the others can."""

    engine: str
    why: str
    instead: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One occurrence of a key. `path` is dotted (`services.web.ports[0]`); `why` and `instead` are for what is refused everywhere.

    A converted entry may carry a `note`: how it is carried, where that is not obvious. `refused_by` names the engines that refuse it
    all the same. Lines and columns count from 1; 0 is unknown.
    """

    file: str
    line: int
    column: int = 0
    path: str
    treatment: Treatment
    why: str = ""
    instead: str = ""
    note: str = ""
    refused_by: tuple[EngineRefusal, ...] = ()

    def on(self, engine: str) -> Treatment:
        """Tell what becomes of it on an engine."""
        return Treatment.REFUSED if self.refusal_on(engine) else Treatment.CONVERTED

    def refusal_on(self, engine: str) -> EngineRefusal | None:
        """Return why an engine does not do it, or None where it does."""
        if self.treatment is Treatment.REFUSED:
            return EngineRefusal(engine=engine, why=self.why, instead=self.instead)
        return next((refusal for refusal in self.refused_by if refusal.engine == engine), None)
