"""Secrets: who gets which, by name. On a cluster Conductor never sees a value; on one machine the engine asks for them here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from conductor.domain.masking import Masker
from conductor.domain.run import Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What was made available: names of keys and where each came from, no values."""

    keys: Mapping[str, str]
    """Name in the plan -> where it was found (`environment variable X_QA`, `file secrets.env`)."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Consumer -> the name of its Secret in the namespace, where a runner made it; empty where values are put in otherwise."""
    workflow: str = ""
    """Where the workflow that made them can be looked at."""
    waited: timedelta = timedelta(0)
    """How long was waited for it: for the runner to come, mostly."""
    dispatches: int = 0
    """How often the workflow was started; 0 where what is there was made before and nothing has changed since."""


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

    async def recall(self, wanting: Wanting, consumers: Mapping[str, Sequence[str]]) -> None:
        """Have at hand what `sync` made available, in a process that may not be the one that synced; makes nothing new on a cluster."""
        ...

    async def abandon(self, wanting: Wanting) -> None:
        """Stop a sync that is under way, whichever process began it; nothing where there is none."""
        ...

    def value(self, run_id: str, name: str) -> str:
        """Return a value for a container that is being made. KeyError where `sync` has not been called in this process."""
        ...

    def masker(self, run_id: str) -> Masker:
        """Return what hides the values of this run."""
        ...
