"""The queue: who runs next, who waits for what, and when it may begin. Pure: entries in, a decision out.

Laws. Never more than the limits allow, and never two of one branch. Higher priorities go first; within one the repository that has
fewest runs active, then the one that has waited longest for its turn: each of n repositories that wait is served within n admissions.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median

from conductor.domain.lease import NamespaceInfo
from conductor.domain.trigger import Priority


class Standing(StrEnum):
    """Where an entry stands."""

    WAITING = "waiting"
    ACTIVE = "active"
    """Admitted: its workflow runs, or is about to, or its teardown is still at it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A run in the queue. `arrival` counts up over all entries."""

    run: str
    attempt: int
    repository: str
    branch: str
    commit: str
    arrival: int
    enqueued_at: datetime
    priority: Priority = Priority.NORMAL
    standing: Standing = Standing.WAITING
    admitted_at: datetime | None = None
    executor: str = ""
    """The process that admitted it."""
    last_turn: int = 0
    """When its repository was served last, as a count of admissions over all; 0: never."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much may be active at a time. None is no limit."""

    runs: int | None = None
    runs_per_repository: int | None = None
    namespaces: int | None = None
    """The budget of stacks: a run waits until there is room for its own, or a kept one that may go."""
    draining: bool = False
    """Nothing new is admitted; what runs goes on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a waiting entry stands, for people: position from 1, what it waits for, and when it may begin (None: nobody can tell)."""

    entry: Entry
    position: int
    reason: str
    estimate: timedelta | None = None


def decide(
    entries: Sequence[Entry], limits: Limits, *, stacks: Iterable[NamespaceInfo] = ()
) -> Sequence[Entry]:
    """Choose who is admitted now, in their order. `stacks` is what stood on the engine before the entries were read."""
    if limits.draining:
        return ()
    line = _Line(entries, limits)
    room = _room(entries, limits, stacks)
    chosen: list[Entry] = []
    while len(chosen) < room and (entry := line.take()):
        chosen.append(entry)
    return chosen


def places(
    entries: Sequence[Entry],
    limits: Limits,
    durations: Mapping[str, Sequence[float]],
    *,
    now: datetime,
    stacks: Iterable[NamespaceInfo] = (),
) -> Sequence[Place]:
    """Tell of each waiting entry where it stands, in the order in which they will be admitted as far as one can tell.

    `durations` are seconds that past runs took, by repository as entries name it; where nobody knows any, there is no estimate.
    """
    stacks = tuple(stacks)
    chosen = decide(entries, limits, stacks=stacks)
    reasons = _Reasons(entries, limits, stacks, chosen)
    begins = _foresee(entries, limits, durations, now, stacks)
    can_tell = not limits.draining and any(durations.values()) and _slots(entries, limits, stacks) > 0
    return [
        Place(
            entry=entry,
            position=position,
            reason=reasons.of(entry),
            estimate=timedelta(seconds=seconds) if can_tell else None,
        )
        for position, (entry, seconds) in enumerate(begins, start=1)
    ]


_Branch = tuple[str, str, int]
"""Repository, branch, and a number that keeps entries without a branch apart."""
_USUAL_SECONDS = 600.0
"""How long a run is taken to be for the order alone, where none has ended yet."""


def _repository(entry: Entry) -> str:
    return entry.repository.lower()


def _branch(entry: Entry) -> _Branch:
    return (_repository(entry), entry.branch, 0 if entry.branch else entry.arrival)


def _is_active(entry: Entry) -> bool:
    return entry.standing is Standing.ACTIVE


class _Line:
    """Who waits, by repository and branch: the next one is found without looking through all."""

    def __init__(self, entries: Sequence[Entry], limits: Limits) -> None:
        self._most = limits.runs_per_repository
        self._active = Counter(_repository(entry) for entry in entries if _is_active(entry))
        self._busy = Counter(_branch(entry) for entry in entries if _is_active(entry))
        self._turns = {_repository(entry): entry.last_turn for entry in entries}
        self._turn = max(self._turns.values(), default=0)
        self._behind = _by_branch(entries)
        self._heads: defaultdict[str, list[tuple[int, int, Entry]]] = defaultdict(list)
        self._order: list[tuple[int, int, int, int, str]] = []
        for branch in self._behind:
            self._step_up(branch)
        for repository in self._heads:
            self._line_up(repository)

    def take(self) -> Entry | None:
        """Let the next one go; None: nobody may."""
        while self._order:
            place = heapq.heappop(self._order)
            repository = place[-1]
            if place == self._place(repository):
                entry = heapq.heappop(self._heads[repository])[-1]
                self._active[repository] += 1
                self._busy[_branch(entry)] += 1
                self._turn += 1
                self._turns[repository] = self._turn
                self._line_up(repository)
                return entry
        return None

    def give_back(self, entry: Entry) -> None:
        """Note that an active one has ended."""
        repository, branch = _repository(entry), _branch(entry)
        self._active[repository] -= 1
        self._busy[branch] -= 1
        self._step_up(branch)
        self._line_up(repository)

    def _step_up(self, branch: _Branch) -> None:
        """Let the first of a branch be chosen from, where none of it is active."""
        waiting = self._behind.get(branch)
        if waiting and not self._busy[branch]:
            urgency, entry = waiting.popleft()
            heapq.heappush(self._heads[branch[0]], (-urgency, entry.arrival, entry))

    def _line_up(self, repository: str) -> None:
        if place := self._place(repository):
            heapq.heappush(self._order, place)

    def _place(self, repository: str) -> tuple[int, int, int, int, str] | None:
        """Say where a repository stands among the others; None where it may have no more, or has nobody."""
        heads, active = self._heads[repository], self._active[repository]
        if not heads or (self._most is not None and active >= self._most):
            return None
        return (heads[0][0], active, self._turns[repository], heads[0][1], repository)


def _by_branch(entries: Iterable[Entry]) -> dict[_Branch, deque[tuple[int, Entry]]]:
    """Line up who waits by branch, oldest first, each as urgent as the most urgent behind it."""
    lines: defaultdict[_Branch, deque[tuple[int, Entry]]] = defaultdict(deque)
    waiting = (entry for entry in entries if not _is_active(entry))
    for entry in sorted(waiting, key=lambda one: one.arrival, reverse=True):
        line = lines[_branch(entry)]
        line.appendleft((max(entry.priority, line[0][0] if line else entry.priority), entry))
    return lines


def _staying(entries: Iterable[Entry], stacks: Iterable[NamespaceInfo]) -> int:
    """Count the stacks that no admission can count on: of no active entry, and none that gives way."""
    active = {entry.run for entry in entries if _is_active(entry)}
    return sum(1 for stack in stacks if stack.run not in active and not stack.gives_way)


def _slots(entries: Sequence[Entry], limits: Limits, stacks: Iterable[NamespaceInfo]) -> int:
    """Tell how many may be active at a time."""
    slots = len(entries) if limits.runs is None else limits.runs
    if limits.namespaces is not None:
        slots = min(slots, limits.namespaces - _staying(entries, stacks))
    return max(0, slots)


def _room(entries: Sequence[Entry], limits: Limits, stacks: Iterable[NamespaceInfo]) -> int:
    return _slots(entries, limits, stacks) - sum(1 for entry in entries if _is_active(entry))


def _foresee(
    entries: Sequence[Entry],
    limits: Limits,
    durations: Mapping[str, Sequence[float]],
    now: datetime,
    stacks: Iterable[NamespaceInfo],
) -> list[tuple[Entry, float]]:
    """Play what would happen if every run took as long as its repository's usually do: who begins, in how many seconds."""
    lasts = _Lasts(durations)
    ends = [(lasts.still(entry, now), entry.arrival, entry) for entry in entries if _is_active(entry)]
    heapq.heapify(ends)
    line = _Line(entries, _at_least_one(limits))
    slots = max(1, _slots(entries, limits, stacks))
    begins: list[tuple[Entry, float]] = []
    seconds = 0.0
    while True:
        while len(ends) < slots and (entry := line.take()):
            begins.append((entry, seconds))
            heapq.heappush(ends, (seconds + lasts.whole(entry), entry.arrival, entry))
        if not ends:
            return begins
        seconds, _, ended = heapq.heappop(ends)
        line.give_back(ended)


def _at_least_one(limits: Limits) -> Limits:
    most = limits.runs_per_repository
    return Limits(runs_per_repository=None if most is None else max(1, most))


class _Lasts:
    """How long runs take: as their repository's did, else as all did."""

    def __init__(self, durations: Mapping[str, Sequence[float]]) -> None:
        self._own = {name.lower(): median(known) for name, known in durations.items() if known}
        self._usual = median(self._own.values()) if self._own else _USUAL_SECONDS

    def whole(self, entry: Entry) -> float:
        return self._own.get(_repository(entry), self._usual)

    def still(self, entry: Entry, now: datetime) -> float:
        gone = (now - entry.admitted_at).total_seconds() if entry.admitted_at else 0.0
        return max(0.0, self.whole(entry) - gone)


class _Reasons:
    """Why each entry waits, in words."""

    def __init__(
        self,
        entries: Sequence[Entry],
        limits: Limits,
        stacks: Iterable[NamespaceInfo],
        chosen: Sequence[Entry],
    ) -> None:
        self._limits = limits
        self._chosen = {entry.arrival for entry in chosen}
        active = [*chosen, *(entry for entry in entries if _is_active(entry))]
        self._active = len(active)
        self._of_repository = Counter(_repository(entry) for entry in active)
        self._on_branch = {_branch(entry): entry.run for entry in active}
        self._first = {branch: line[0][1] for branch, line in _by_branch(entries).items() if line}
        self._stacks = _staying(entries, stacks) + len(active)

    def of(self, entry: Entry) -> str:
        if self._limits.draining:
            return "the server is draining: nothing new begins"
        if entry.arrival in self._chosen:
            return "it is about to begin"
        return self._of_branch(entry) or self._of_limits(entry) or "others are before it"

    def _of_branch(self, entry: Entry) -> str:
        if other := self._on_branch.get(_branch(entry)):
            return f"run {other} of branch {entry.branch} is still active"
        first = self._first[_branch(entry)]
        return f"run {first.run} of branch {entry.branch} is before it" if first != entry else ""

    def _of_limits(self, entry: Entry) -> str:
        limits, of_repository = self._limits, self._of_repository[_repository(entry)]
        if limits.runs_per_repository is not None and of_repository >= limits.runs_per_repository:
            return f"{of_repository} of {limits.runs_per_repository} runs of {entry.repository} are active"
        if limits.runs is not None and self._active >= limits.runs:
            return f"{self._active} of {limits.runs} runs are active"
        if limits.namespaces is not None and self._stacks >= limits.namespaces:
            return f"{self._stacks} of {limits.namespaces} stacks are at work or pinned"
        return ""
