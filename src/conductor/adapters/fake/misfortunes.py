"""What goes wrong on request: `CONDUCTOR_FAIL=deploy/backend:ImagePullBackOff,engine:gone=5`.

Each entry is `WHERE:WHAT` or `WHERE/NAME:WHAT`, several separated by commas. WHERE is `deploy` (services), `tests` (jobs), `build` (images)
or `engine`; without NAME it befalls the first one that comes. WHAT is a reason word of `domain.verdict.Reason`, or one of

    never-ready     the service runs and its health check never passes
    slow=SECONDS    its image takes so long to come
    hangs           it runs and never ends
    fails           the tests run and say no
    gone=SECONDS    the engine does not answer for so long, from the first service on
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from conductor.domain.verdict import Reason
from conductor.errors import UsageError

PLACES = ("deploy", "tests", "build", "engine")
WORDS = ("never-ready", "slow", "hangs", "fails", "gone")


@dataclass(frozen=True, kw_only=True, slots=True)
class Misfortune:
    """One thing that goes wrong. `name` empty: for the first that comes."""

    where: str
    what: str
    name: str = ""
    lasts: timedelta = timedelta(0)

    @property
    def reason(self) -> Reason | None:
        """The reason word, where it is one."""
        return Reason(self.what) if self.what not in WORDS else None


def parse_misfortunes(text: str) -> tuple[Misfortune, ...]:
    """Read the list. `UsageError` with what there is, where a word is unknown.

    >>> [m.name for m in parse_misfortunes("deploy/backend:OOMKilled, engine:gone=5")]
    ['backend', '']
    """
    return tuple(_parse(entry.strip()) for entry in text.split(",") if entry.strip())


def _parse(entry: str) -> Misfortune:
    place, _, what = entry.partition(":")
    where, _, name = place.partition("/")
    what, _, seconds = what.partition("=")
    known = [*WORDS, *(reason.value for reason in Reason)]
    if where not in PLACES or what not in known or not re.fullmatch(r"(\d+(\.\d+)?)?", seconds):
        raise UsageError(
            f"CONDUCTOR_FAIL: {entry!r} is no misfortune",
            remedy=f"Write WHERE[/NAME]:WHAT with WHERE of {', '.join(PLACES)} and WHAT of {', '.join(known)}.",
        )
    return Misfortune(where=where, what=what, name=name, lasts=timedelta(seconds=float(seconds or 0)))


class Fate:
    """Which misfortune befalls whom; each without a name befalls the first that comes, and then the same again."""

    def __init__(self, misfortunes: Iterable[Misfortune] = ()) -> None:
        self._waiting = list(misfortunes)
        self._settled: dict[tuple[str, str], tuple[Misfortune, ...]] = {}

    def add(self, misfortunes: Iterable[Misfortune]) -> None:
        """Let more of them wait for somebody."""
        self._waiting += misfortunes

    def of(self, where: str, name: str) -> tuple[Misfortune, ...]:
        """Return what befalls it."""
        if (where, name) not in self._settled:
            mine = [one for one in self._waiting if one.where == where and one.name in ("", name)]
            self._waiting = [one for one in self._waiting if one not in mine]
            self._settled[where, name] = tuple(mine)
        return self._settled[where, name]
