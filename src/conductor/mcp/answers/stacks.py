"""Answers about what still stands."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from conductor.domain.lease import Lease
from conductor.mcp.fitting import Answer


class Kept(Answer):
    """A stack that stands on."""

    run: str
    namespace: str
    status: str
    expires_at: datetime | None = Field(description="When it is removed; null: it is pinned.")

    @classmethod
    def of(cls, lease: Lease) -> Kept:
        """Tell of a lease."""
        return cls(
            run=lease.run, namespace=lease.namespace, status=lease.status.value, expires_at=lease.expires_at
        )

    def in_words(self) -> str:
        """Say it shortly."""
        end = (
            f"until {self.expires_at:%Y-%m-%d %H:%M} UTC" if self.expires_at else "until somebody releases it"
        )
        return f"The stack of {self.run} is kept {end}."


class Removed(Answer):
    """A stack that is gone."""

    run: str
    things: int = Field(description="How many things were removed.")

    def in_words(self) -> str:
        """Say it shortly."""
        return f"The stack of {self.run} is gone ({self.things} things). Report and logs stay."
