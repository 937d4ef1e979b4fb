"""Time, so that steps can be tested without waiting."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Law: `now` is aware and in UTC."""

    def now(self) -> datetime:
        """Return the present."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Let that much of it pass."""
        ...
