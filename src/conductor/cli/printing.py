"""Lines of logs on stdout: coloured as they were written where a terminal shows them, marked with whose they are."""

from __future__ import annotations

import os
import sys

from conductor.cli.colours import log_text
from conductor.cli.output import print_json_line
from conductor.domain.report import LogLine

_WHOSE = ("36", "33", "35", "32", "34", "96", "93", "95")
"""Colours (SGR) of workloads, in the order in which they turn up."""


class LinePrinter:
    """Prints them one by one, at once."""

    def __init__(self, *, as_json: bool, prefixed: bool) -> None:
        self._as_json = as_json
        self._prefixed = prefixed
        self._coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._colours: dict[str, str] = {}
        self._width = 0

    def print(self, line: LogLine) -> None:
        """Print one."""
        if self._as_json:
            print_json_line(line)
            return
        sys.stdout.write(f"{self._prefix(line.workload)}{log_text(line.text, coloured=self._coloured)}\n")
        sys.stdout.flush()

    def _prefix(self, workload: str) -> str:
        if not self._prefixed:
            return ""
        self._width = max(self._width, len(workload))
        name = f"{workload:<{self._width}} | "
        if not self._coloured:
            return name
        colour = self._colours.setdefault(workload, _WHOSE[len(self._colours) % len(_WHOSE)])
        return f"\x1b[{colour}m{name}\x1b[0m"
