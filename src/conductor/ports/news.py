"""News: what this process has put on record of runs, for whoever counts or traces it; nothing is decided by it.

Law: each event is told once, by the process that recorded it, after it is on record. A listener returns at once; what goes wrong in one
is logged, and harms nobody.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

from conductor.domain.event import Event
from conductor.domain.report import LogLine
from conductor.ports.usage import Used

EventListener = Callable[[Event], None]
LineListener = Callable[[str, int, Sequence[LogLine]], None]
"""Is told run, attempt and lines."""
REMEMBERED = 1000
"""Events that a listener is still told that comes late."""
_log = logging.getLogger(__name__)


class News:
    """What is new in this process."""

    def __init__(self) -> None:
        self.usage: dict[tuple[str, str], Mapping[str, Used]] = {}
        """What the workloads of a run (by its id, and by which suite is under way) used when they were last measured."""
        self.calls: Counter[tuple[str, str]] = Counter()
        """Calls of tools over MCP, by tool and by whether they were `answered` or `refused`."""
        self._recent: deque[Event] = deque(maxlen=REMEMBERED)
        self._event_listeners: list[EventListener] = []
        self._line_listeners: list[LineListener] = []

    def on_events(self, listener: EventListener) -> None:
        """Tell it each event from now on, and those of the beginning."""
        for event in self._recent:
            _tell(listener, event)
        self._event_listeners.append(listener)

    def on_lines(self, listener: LineListener) -> None:
        """Tell it lines of logs from now on."""
        self._line_listeners.append(listener)

    def recorded(self, event: Event) -> None:
        """Tell of an event that was put on record."""
        self._recent.append(event)
        for listener in self._event_listeners:
            _tell(listener, event)

    def logged(self, run_id: str, attempt: int, lines: Sequence[LogLine]) -> None:
        """Tell of lines that were put on record."""
        for listener in self._line_listeners:
            _tell(listener, run_id, attempt, lines)


def _tell(listener: Callable[..., None], *what: object) -> None:
    try:
        listener(*what)
    except Exception:  # noqa: BLE001 -- a listener is no part of the run
        _log.exception("what listens to news failed")
