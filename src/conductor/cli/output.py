"""What is printed, and how: consoles that know where colour belongs, and values as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 400
"""The width of what no terminal shows: nothing is cut there."""


def console(*, stderr: bool = False) -> Console:
    """Make a console of stdout or stderr. Texts are taken as they are: markup is never read out of them."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else WIDE
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=False)


def speaks_unicode() -> bool:
    """Tell whether stdout can write what is beyond ASCII."""
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


def print_json(value: Any) -> None:
    """Print one value as one JSON document."""
    sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_json_line(value: Any) -> None:
    """Print one value as one line of a stream, at once."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """Make plain data of a value of the domain: times in ISO 8601, durations in seconds.

    >>> plain(timedelta(minutes=2)), plain({"a": (1, None)})
    (120.0, {'a': [1, None]})
    """
    match value:
        case Enum():
            made: Any = value.value
        case Mapping():
            made = {str(key): plain(item) for key, item in value.items()}
        case datetime():
            made = value.isoformat().replace("+00:00", "Z")
        case timedelta():
            made = value.total_seconds()
        case Path():
            made = str(value)
        case str() | bytes():
            made = value
        case Sequence() | AbstractSet():
            made = [plain(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            made = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            made = value
    return made
