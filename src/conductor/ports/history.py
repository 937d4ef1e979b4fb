"""History: tests over the runs of a repository, and which of them are in quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from conductor.domain.history import Sighting, Tested, TestName
from conductor.domain.quarantine import Quarantined

RUNS = 100
"""How many runs are looked back upon, where nobody says."""


class History(Protocol):
    """Law: what is told of runs is read from their records, and only of those that ended with `passed` or `failed`."""

    async def sightings(
        self, repository: str, *, branch: str | None = None, test: TestName | None = None, runs: int = RUNS
    ) -> Sequence[Sighting]:
        """Return each test of the latest `runs` attempts of a repository (of one branch, of one test), the earliest run first."""
        ...

    async def of_run(self, run_id: str, attempt: int) -> Sequence[Sighting]:
        """Return the tests of one attempt, whatever its verdict."""
        ...

    async def last_green(self, repository: str, *, branch: str, before: datetime) -> Tested | None:
        """Return the latest attempt on a branch that passed and was asked for before that time; None where there is none."""
        ...

    async def quarantine(self, entry: Quarantined) -> None:
        """Put a test on the list of its repository; one that is there gets the new reason and time."""
        ...

    async def release(self, repository: str, test: TestName) -> bool:
        """Take a test off the list. Tells whether it was on it."""
        ...

    async def quarantined(self, repository: str) -> Sequence[Quarantined]:
        """Return the list by name of the test, what is over with it."""
        ...
