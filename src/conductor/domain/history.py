"""Test cases over runs: which are flaky, slow, newly red, and since which commit; pure.

Laws. Only runs that ended with `passed` or `failed` count: beside a broken stack nothing is known of a test. Two results are of the same
code where commit and working tree are the same; code that nobody can name is the same as no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from conductor.domain.results import Case, CaseStatus
from conductor.domain.run import Run, Source

RED = (CaseStatus.FAILED, CaseStatus.ERROR)
_WORST_FIRST = (CaseStatus.ERROR, CaseStatus.FAILED, CaseStatus.PASSED, CaseStatus.SKIPPED)


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class TestName:
    """By what a test is known from one run to the next."""

    __test__ = False
    suite: str
    classname: str = ""
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tested:
    """A run whose tests were a fair test, as far as history is concerned."""

    __test__ = False
    run: str
    attempt: int = 1
    code: str
    """Empty where it cannot be named."""
    commit: str = ""
    branch: str = ""
    passed: bool = False
    whole: bool = True
    """Every test was asked for; not only those that had failed before."""
    at: datetime
    """When it was asked for: in that order runs are told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """One test in one run."""

    test: TestName
    tested: Tested
    status: CaseStatus
    flaky: bool = False
    """It passed, but not at the first try."""
    seconds: float = 0.0

    @property
    def is_red(self) -> bool:
        """Tell whether it failed there, for whatever reason."""
        return self.status in RED


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What is known of one test: how often it was seen, and how it went. Skipped is neither."""

    test: TestName
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    flaky: int = 0
    """Commits at which it both passed and failed, and runs in which it passed only when tried again."""
    mean_seconds: float = 0.0
    longest_seconds: float = 0.0
    first_red: Tested | None = None
    """The earliest run of the unbroken red row at the end; None where it is not red now."""
    last: Tested

    @property
    def pass_rate(self) -> float | None:
        """Return the part of its results that were green, from 0 to 1; None where it was only skipped."""
        seen = self.passed + self.failed
        return self.passed / seen if seen else None


@dataclass(frozen=True, kw_only=True, slots=True)
class SinceGreen:
    """What changed since the last green run of the branch, or of the main branch where the branch never was green."""

    run: str
    commit: str = ""
    branch: str = ""
    at: datetime
    commits: str = ""
    """`OLD..NEW`, as git takes it; empty where either is not known, or both are the same."""
    newly_failing: tuple[TestName, ...] = ()


def name_of(suite: str, case: Case) -> TestName:
    """Name the test that a case is of."""
    return TestName(suite=suite, classname=case.classname, name=case.name)


def as_tested(run: Run, *, passed: bool) -> Tested:
    """Take from a run what history needs."""
    return Tested(
        run=run.id,
        attempt=run.attempt,
        code=code_of(run.source),
        commit=run.source.commit or "",
        branch=run.source.branch or "",
        passed=passed,
        whole=not (run.rerun and run.rerun.failed_only),
        at=run.requested_at,
    )


def sighted(tested: Tested, suite: str, case: Case) -> Sighting:
    """Take from a case what history needs."""
    return Sighting(
        test=name_of(suite, case),
        tested=tested,
        status=case.status,
        flaky=case.flaky,
        seconds=case.seconds,
    )


def code_of(source: Source) -> str:
    """Name the code: commit, and the tree where it has changes of its own; empty where it cannot be named.

    >>> code_of(Source(location="/shop", commit="c1")), code_of(Source(location="/shop", commit="c1", dirty=True))
    ('c1', '')
    """
    if source.dirty or not source.commit:
        return source.tree and f"{source.commit or ''}+{source.tree}"
    return source.commit


def in_one_run(sightings: Iterable[Sighting]) -> list[Sighting]:
    """Make one of several that a run has of a test (parameters in another form, tries of a runner): the worst of them."""
    worst: dict[tuple[TestName, str, int], Sighting] = {}
    for one in sightings:
        key = (one.test, one.tested.run, one.tested.attempt)
        known = worst.get(key)
        if known is None or _WORST_FIRST.index(one.status) < _WORST_FIRST.index(known.status):
            worst[key] = one
    return list(worst.values())


def records(sightings: Iterable[Sighting]) -> list[Record]:
    """Make a record of each test, by name."""
    return [_record(test, row) for test, row in sorted(_by_test(in_one_run(sightings)).items())]


def flaky(found: Iterable[Record]) -> list[Record]:
    """Pick the tests that both passed and failed on the same code, or passed only when tried again; the flakiest first."""
    return sorted((one for one in found if one.flaky), key=lambda one: (-one.flaky, -one.failed, one.test))


def slowest(found: Iterable[Record]) -> list[Record]:
    """Pick the tests that take time, the slowest first."""
    timed = (one for one in found if one.mean_seconds > 0)
    return sorted(timed, key=lambda one: (-one.mean_seconds, one.test))


def failing(found: Iterable[Record]) -> list[Record]:
    """Pick the tests that were red when they last ran, the latest to become so first. What no later whole run had is gone, not red."""
    known = list(found)
    latest = max((one.last.at for one in known if one.last.whole), default=None)
    there = [one for one in known if latest is None or one.last.at >= latest]
    red = [(one.first_red, one) for one in there if one.first_red]
    return [one for _, one in sorted(red, key=lambda pair: (-pair[0].at.timestamp(), pair[1].test))]


def first_bad(row: Iterable[Sighting]) -> Tested | None:
    """Return the earliest run of the unbroken red row at the end of one test's sightings; None where it is not red now.

    A run that skipped the test breaks nothing and begins nothing.
    """
    earliest: Tested | None = None
    for one in sorted(row, key=_when, reverse=True):
        if one.status is CaseStatus.PASSED:
            break
        if one.is_red:
            earliest = one.tested
    return earliest


def newly_failing(now: Iterable[Sighting], green: Iterable[Sighting]) -> tuple[TestName, ...]:
    """Return the tests that are red now and were passed then, by name."""
    passed = {one.test for one in in_one_run(green) if one.status is CaseStatus.PASSED}
    return tuple(sorted(one.test for one in in_one_run(now) if one.is_red and one.test in passed))


def commits_between(green: str, now: str) -> str:
    """Name the commits that came after the green one, as git takes it.

    >>> commits_between("aaa", "bbb"), commits_between("aaa", "aaa"), commits_between("", "bbb")
    ('aaa..bbb', '', '')
    """
    return f"{green}..{now}" if green and now and green != now else ""


def _record(test: TestName, row: Sequence[Sighting]) -> Record:
    ordered = sorted(row, key=_when)
    ran = [one.seconds for one in ordered if one.status is not CaseStatus.SKIPPED]
    return Record(
        test=test,
        passed=sum(one.status is CaseStatus.PASSED for one in row),
        failed=sum(one.is_red for one in row),
        skipped=sum(one.status is CaseStatus.SKIPPED for one in row),
        flaky=_flips(row),
        mean_seconds=sum(ran) / len(ran) if ran else 0.0,
        longest_seconds=max(ran, default=0.0),
        first_red=first_bad(ordered),
        last=ordered[-1].tested,
    )


def _flips(row: Sequence[Sighting]) -> int:
    results: dict[str, set[bool]] = {}
    for one in row:
        if one.tested.code and one.status is not CaseStatus.SKIPPED:
            results.setdefault(one.tested.code, set()).add(one.is_red)
    both = {code for code, kinds in results.items() if len(kinds) > 1}
    retried = sum(one.flaky for one in row if one.tested.code not in both)
    return len(both) + retried


def _by_test(sightings: Iterable[Sighting]) -> Mapping[TestName, list[Sighting]]:
    grouped: dict[TestName, list[Sighting]] = {}
    for one in sightings:
        grouped.setdefault(one.test, []).append(one)
    return grouped


def _when(one: Sighting) -> tuple[datetime, str, int]:
    return one.tested.at, one.tested.run, one.tested.attempt
