"""How long to wait before something that the world refused is tried again."""

from __future__ import annotations

from datetime import timedelta

from conductor.errors import ConductorError, UnreachableError

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=15)


def wait_before(tries: int, error: ConductorError | None = None) -> timedelta:
    """Tell how long to wait after that many tries: longer each time, and at least as long as the error says.

    >>> [int(wait_before(tries).total_seconds()) for tries in (0, 1, 2, 30)]
    [5, 10, 20, 900]
    """
    grown = min(FIRST_WAIT * 2.0 ** min(tries, 20), LONGEST_WAIT)
    named = error.retry_after if isinstance(error, UnreachableError) else None
    return max(grown, named) if named else grown
