"""Quarantine: tests whose failures are known, for a reason and for a time, and decide no verdict.

Laws. The list belongs to a repository's keepers and lives in the database, never in the repository: a commit cannot excuse its own
failures. An entry that is over excuses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from conductor.domain.history import TestName


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarantined:
    """One entry. `until` None: until somebody removes it."""

    repository: str
    test: TestName
    reason: str
    added_by: str
    added_at: datetime
    until: datetime | None = None

    def counts(self, now: datetime) -> bool:
        """Tell whether it excuses anything at that time."""
        return self.until is None or now < self.until
