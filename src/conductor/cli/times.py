"""Times as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def seconds_text(seconds: float) -> str:
    """Say how long something took, in as few characters as tell it.

    >>> [seconds_text(s) for s in (0.04, 9.96, 42, 83, 3725)]
    ['0.0 s', '10 s', '42 s', '1:23', '1:02:05']
    """
    seconds = max(seconds, 0.0)
    if seconds < 9.95:  # noqa: PLR2004 -- from there it rounds to 10
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    minutes, rest = divmod(whole, _MINUTE)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def span_text(span: timedelta) -> str:
    """Say roughly how long, for ages and leases.

    >>> [span_text(timedelta(seconds=s)) for s in (3, 150, 7500, 200000)]
    ['3s', '2m', '2h5m', '2d7h']
    """
    seconds = max(int(span.total_seconds()), 0)
    if seconds < _MINUTE:
        return f"{seconds}s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < _DAY:
        hours, minutes = divmod(seconds // _MINUTE, 60)
        return f"{hours}h{minutes}m" if minutes else f"{hours}h"
    days, hours = divmod(seconds // _HOUR, 24)
    return f"{days}d{hours}h" if hours else f"{days}d"


def clock_text(moment: datetime) -> str:
    """Say when, in the reader's own time zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")
