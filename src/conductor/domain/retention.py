"""Retention: how long logs and artifacts are kept, and how much of them; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """None is no limit."""

    keep_for: timedelta | None = None
    """From the end of the attempt."""
    most_bytes: int | None = None

    @property
    def is_set(self) -> bool:
        """Tell whether anything is ever removed."""
        return self.keep_for is not None or self.most_bytes is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """The logs and artifacts of one attempt. `ended_at` None: it may not be removed."""

    run: str
    attempt: int
    size_bytes: int
    ended_at: datetime | None


def to_remove(kept: Sequence[Kept], retention: Retention, *, now: datetime) -> list[Kept]:
    """Choose what goes: all that is too old, then the oldest until the rest is within the bytes."""
    free = [(one.ended_at, one) for one in kept if one.ended_at is not None]
    going: list[Kept] = []
    left = sum(one.size_bytes for one in kept)
    for ended_at, one in sorted(free, key=lambda pair: (pair[0], pair[1].run, pair[1].attempt)):
        is_old = retention.keep_for is not None and now - ended_at > retention.keep_for
        is_too_much = retention.most_bytes is not None and left > retention.most_bytes
        if is_old or is_too_much:
            going.append(one)
            left -= one.size_bytes
    return going
