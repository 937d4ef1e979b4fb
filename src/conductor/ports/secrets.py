"""Secrets: who gets which, by name. On a cluster Conductor never sees a value; on one machine the engine asks for them here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from conductor.domain.masking import Masker
from conductor.domain.run import Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What was made available: names of keys and where each came from, no values."""

    keys: Mapping[str, str]
    """Name in the plan -> where it was found (`environment variable X_QA`, `file secrets.env`)."""


class Wanting(Protocol):
    """Who wants secrets: a run, or an environment. Nothing here is a value."""

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def repository(self) -> str:
        """Whose secrets they are."""
        ...

    @property
    def source(self) -> Source:
        """Where its code comes from."""
        ...

    @property
    def environment(self) -> str:
        """Which suffix: `dev`, `qa`, `prod`."""
        ...

    @property
    def env_files(self) -> tuple[str, ...]:
        """Files outside the repository that hold values."""
        ...

    @property
    def namespace(self) -> str:
        """Where its consumers run."""
        ...


class Secrets(Protocol):
    """Law: values are in no argument of a process, no record, no exception and no log."""

    async def sync(self, wanting: Wanting, consumers: Mapping[str, Sequence[str]]) -> Receipt:
        """Make sure that all are there: for each consumer (a workload's name in the namespace) the names of what it gets.

        Raises `RunError(reason=SecretMissing)` naming every missing one.
        """
        ...

    def value(self, run_id: str, name: str) -> str:
        """Return a value for a container that is being made. KeyError where `sync` has not been called in this process."""
        ...

    def masker(self, run_id: str) -> Masker:
        """Return what hides the values of this run."""
        ...
