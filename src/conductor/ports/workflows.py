"""Workflows of a forge: what it runs itself, on runners of its own. Secrets that only a workflow can read come to the cluster by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from conductor.domain.delivery import WorkflowEnded

SYNC_FILE = "conductor-sync-secrets.yml"
"""The workflow that syncs secrets, in `.github/workflows/` of the default branch."""
MOST_SECRETS = 64
"""So many secrets one dispatch of it can bring: each has a variable of its own there."""


def sync_title(sync: str) -> str:
    """Return what the workflow calls its run (`run-name`), so that it is found where the forge does not tell which it started."""
    return f"conductor secrets {sync}"


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkflowRun:
    """One run of a workflow. `conclusion` is empty as long as it has not ended."""

    id: int
    link: str = ""
    conclusion: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownSecrets:
    """Names of secrets (upper case) and when each was changed last. No value: nobody but a workflow gets those."""

    changed: Mapping[str, datetime] = field(default_factory=dict)
    environment: str = ""
    """The forge's own environment that some of them belong to, by its name there; empty where it has none of that name."""


class Workflows(Protocol):
    """Law: a workflow is started on the default branch and nowhere else; what it is given is data.

    Raises UnreachableError (retryable), NotFoundError where there is no such repository or workflow, RefusedError where rights lack.
    """

    def repository_at(self, location: str) -> str | None:
        """Name the forge's repository at an address of git; None where it is not the forge's."""
        ...

    async def secrets(self, repository: str, environment: str) -> KnownSecrets | None:
        """List the secrets that a workflow of the repository sees in an environment. None where the forge does not let us list them."""
        ...

    async def dispatch(
        self, repository: str, file: str, inputs: Mapping[str, str], *, title: str
    ) -> WorkflowRun:
        """Start a workflow, and return its run: as the forge tells, else the one that calls itself `title`.

        Repeated, it starts another one. UnreachableError where the run is nowhere to be seen within a minute.
        """
        ...

    async def find(self, repository: str, file: str, *, title: str) -> WorkflowRun | None:
        """Return the newest run that calls itself so; None where there is none among the latest."""
        ...

    async def follow(self, repository: str, run: int, *, patience: timedelta) -> WorkflowRun:
        """Return it once it has ended, or as it is when patience is over."""
        ...

    async def cancel(self, repository: str, run: int) -> None:
        """Cancel a run; one that has ended, or that is gone, stays as it is."""
        ...

    def ended(self, told: WorkflowEnded) -> bool:
        """Have whoever follows that run in this process look at once; tell whether anybody does."""
        ...
