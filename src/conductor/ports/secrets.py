"""Secrets: who gets which, by name. On a cluster Conductor never sees a value; on one machine the engine asks for them here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from conductor.domain.masking import Masker
from conductor.domain.run import Run


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What was made available: names of keys and where each came from, no values."""

    keys: Mapping[str, str]
    """Name in the plan -> where it was found (`environment variable X_QA`, `file secrets.env`)."""


class Secrets(Protocol):
    """Law: values are in no argument of a process, no record, no exception and no log."""

    async def sync(self, run: Run, names: Sequence[str]) -> Receipt:
        """Make sure that all are there for this run. Raises `RunError(reason=SecretMissing)` naming every missing one."""
        ...

    def value(self, run_id: str, name: str) -> str:
        """Return a value for a container that is being made. KeyError where `sync` has not been called in this process."""
        ...

    def masker(self, run_id: str) -> Masker:
        """Return what hides the values of this run."""
        ...
