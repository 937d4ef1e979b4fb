"""What the services wrote around the moment of a failure.

A report file tells at best when a suite began and how long each case took, in a clock that may stand in another zone. So the moment is an
estimate: the case's own time where it falls into the time of the test job's log; else the first line of that log that names the case;
else the log's end.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from conductor.domain.report import Failure, LogLine
from conductor.domain.results import Case, CaseStatus, SuiteResult
from conductor.reports.readable import clean, cut

LINES_EACH = 12
FAILURES_WITH_LINES = 50
LINE_LENGTH = 400
BEFORE = timedelta(seconds=2)
AFTER = timedelta(seconds=1)
LONGEST_CASE = timedelta(seconds=60)
CLOCKS_DIFFER = timedelta(seconds=5)
SHORTEST_NAME = 4

_WRONG = re.compile(
    r"error|exception|fatal|panic|traceback|critical|unhandled|refused|denied|failed|failure|timed? ?out|\bE\d{4}\b",
    re.IGNORECASE,
)
_WARNING = re.compile(r"\bwarn", re.IGNORECASE)
_SERVER_ERROR = re.compile(r"(?<![\d.:/-])5\d\d(?![\d.:/-])")
_CLIENT_ERROR = re.compile(r"(?<![\d.:/-])4\d\d(?![\d.:/-])")
_HEALTH_CHECK = re.compile(r"\bGET /\S{0,40}(?:health|ready|live|ping|metrics)", re.IGNORECASE)
_GOES_ON = re.compile(r"\s|Caused by|\.\.\. \d+ more|at ")


def failures(
    suites: Sequence[SuiteResult],
    lines: Iterable[LogLine],
    *,
    jobs: Mapping[str, str],
    limit: int = LINES_EACH,
) -> tuple[Failure, ...]:
    """Pair each failed case that counts with at most `limit` lines of the services. `jobs` maps a suite to the workload of its job."""
    ordered = sorted(lines, key=lambda line: line.at)
    own = set(jobs.values())
    services = _Timeline([line for line in ordered if line.workload not in own])
    logs = {
        suite: _Timeline([line for line in ordered if line.workload == job]) for suite, job in jobs.items()
    }
    made: list[Failure] = []
    for suite in suites:
        for case in suite.cases:
            if case.status in (CaseStatus.FAILED, CaseStatus.ERROR) and not case.quarantined:
                log = logs.get(suite.suite, _Timeline([]))
                with_lines = len(made) < FAILURES_WITH_LINES
                around = _around(case, log, services, limit) if with_lines else ()
                made.append(Failure(suite=suite.suite, case=case, around=around))
    return tuple(made)


class _Timeline:
    """Lines in the order of their times."""

    def __init__(self, lines: Sequence[LogLine]) -> None:
        self.lines = lines
        self._times = [line.at for line in lines]

    @property
    def end(self) -> datetime | None:
        return self._times[-1] if self._times else None

    def covers(self, moment: datetime) -> bool:
        """Tell whether a moment falls into it; without lines, nothing speaks against it."""
        if not self._times:
            return True
        return self._times[0] - CLOCKS_DIFFER <= moment <= self._times[-1] + CLOCKS_DIFFER

    def between(self, start: datetime, end: datetime) -> Sequence[LogLine]:
        return self.lines[bisect_left(self._times, start) : bisect_right(self._times, end)]


def _around(case: Case, log: _Timeline, services: _Timeline, limit: int) -> tuple[LogLine, ...]:
    moment = _moment(case, log) or services.end
    if moment is None:
        return ()
    lasted = min(timedelta(seconds=case.seconds), LONGEST_CASE)
    return _most_telling(services.between(moment - lasted - BEFORE, moment + AFTER), moment, limit)


def _moment(case: Case, log: _Timeline) -> datetime | None:
    """Estimate when the case ended."""
    if case.ended_at is not None and log.covers(case.ended_at):
        return case.ended_at
    if len(case.name) >= SHORTEST_NAME:
        named = next((line.at for line in log.lines if case.name in line.text), None)
        if named is not None:
            return named
    return log.end


@dataclass(frozen=True, slots=True)
class _Ranked:
    weight: float
    distance: timedelta
    index: int


def _most_telling(window: Sequence[LogLine], moment: datetime, limit: int) -> tuple[LogLine, ...]:
    """Choose lines by what they say, then by how near they are; return them in the order of their times."""
    weights = _weights(window)
    ranked = [
        _Ranked(weight, abs(line.at - moment), index)
        for index, (line, weight) in enumerate(zip(window, weights, strict=True))
    ]
    ranked.sort(key=lambda one: (-one.weight, one.distance, one.index))
    chosen: list[int] = []
    seen: set[tuple[str, str]] = set()
    for one in ranked:
        what = (window[one.index].workload, window[one.index].text)
        if len(chosen) < limit and what[1].strip() and what not in seen:
            chosen.append(one.index)
            seen.add(what)
    return tuple(
        replace(window[index], text=cut(clean(window[index].text), LINE_LENGTH)) for index in sorted(chosen)
    )


def _weights(window: Sequence[LogLine]) -> list[float]:
    """Weigh each line; what goes on from a line of the same workload (a stack trace) weighs a little less than that one."""
    weights: list[float] = []
    before: dict[str, float] = {}
    for line in window:
        weight = weigh(line)
        if _GOES_ON.match(line.text):
            weight = max(weight, before.get(line.workload, 0) - 0.1)
        before[line.workload] = weight
        weights.append(weight)
    return weights


def weigh(line: LogLine) -> float:
    """Say how much a line speaks of something wrong: words, status codes, the stream."""
    return (
        3 * bool(_WRONG.search(line.text))
        + 2 * bool(_SERVER_ERROR.search(line.text))
        + bool(_WARNING.search(line.text))
        + 0.5 * bool(_CLIENT_ERROR.search(line.text))
        + 0.5 * (line.stream == "stderr")
        - 2 * bool(_HEALTH_CHECK.search(line.text))
    )
