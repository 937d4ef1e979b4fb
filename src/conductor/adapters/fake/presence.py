"""Whether the fake engine is there at all: it can go away and come back."""

from __future__ import annotations

from datetime import datetime, timedelta

from conductor.adapters.fake.misfortunes import Fate
from conductor.errors import UnreachableError
from conductor.ports.clock import Clock


class Presence:
    """Answers, or does not, as fate has it."""

    def __init__(self, clock: Clock, fate: Fate) -> None:
        self._clock = clock
        self._fate = fate
        self._gone_until: datetime | None = None

    def leave(self, duration: timedelta) -> None:
        """Stop answering for so long."""
        self._gone_until = self._clock.now() + duration

    @property
    def is_gone(self) -> bool:
        """Whether it does not answer now."""
        return self._gone_until is not None and self._clock.now() < self._gone_until

    def answer(self) -> None:
        """Answer. Raises `UnreachableError` while it is gone."""
        if self.is_gone:
            raise UnreachableError(
                "the fake engine does not answer, as was asked for", remedy="Wait: it comes back."
            )

    def answer_unless_befallen(self) -> None:
        """Answer, but for what is to happen to the engine itself: that happens now, once."""
        self.answer()
        for misfortune in self._fate.of("engine", "engine"):
            if misfortune.what == "gone" and self._gone_until is None:
                self.leave(misfortune.lasts)
                self.answer()
