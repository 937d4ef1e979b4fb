"""Times as Kubernetes writes them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

_last = 0


def now() -> str:
    """Return the time in whole seconds (metav1.Time)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro() -> str:
    """Return the time with microseconds (metav1.MicroTime)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def nanoseconds() -> int:
    """Return the time; never the same twice."""
    global _last  # noqa: PLW0603 -- one clock for the process
    _last = max(time.time_ns(), _last + 1)
    return _last


def nano(moment: int) -> str:
    """Write a time of a log: nanoseconds without their last zeros.

    >>> nano(1_500_000_000)
    '1970-01-01T00:00:01.5Z'
    """
    seconds, rest = divmod(moment, 10**9)
    fraction = f".{rest:09}".rstrip("0").rstrip(".")
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


def read(text: str) -> int:
    """Read a time (RFC 3339, as precise as nanoseconds).

    >>> read("1970-01-01T00:00:01.000000007Z")
    1000000007
    """
    whole, fraction, zone = re.fullmatch(r"([\d\-T:]+)(\.\d+)?(Z|[+-]\d\d:\d\d)", text).groups()  # type: ignore[union-attr]
    seconds = int(datetime.fromisoformat(whole + ("+00:00" if zone == "Z" else zone)).timestamp())
    return seconds * 10**9 + int((fraction or ".0")[1:].ljust(9, "0")[:9])
