"""A word for whoever waits at a terminal while libraries are still being read."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Self

_CLEAR_LINE = "\r\x1b[2K"


class Notice:
    """Stands on the last line until it is cleared; nowhere but on a terminal that can take it back."""

    def __init__(self, text: str, *, as_json: bool) -> None:
        self._text = text
        self._shown = not as_json and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def __enter__(self) -> Self:
        self._write(self._text)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Take it away. Repeated: nothing happens."""
        self._write(_CLEAR_LINE)
        self._shown = False

    def _write(self, text: str) -> None:
        if self._shown:
            sys.stdout.write(text)
            sys.stdout.flush()
