"""What quarantine makes of a red suite: failures that are known are noted, and decide nothing; pure.

Laws. A test is known by suite, class and name, all three. A suite passes where its report names every failure and each is in quarantine;
where anything else may be wrong (a report that is not whole, a command that was killed, a time limit) it stays as it was judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from conductor.domain.history import RED, TestName, name_of
from conductor.domain.quarantine import Quarantined
from conductor.domain.results import Case, CaseStatus, Counts, SuiteResult
from conductor.domain.verdict import Outcome, Reason, Verdict
from conductor.reports.judge import MESSAGE_LENGTH, NOT_EXECUTABLE
from conductor.reports.readable import cut, on_one_line
from conductor.reports.words import full_name, in_words, plural

NOTED = 50
"""How many tests in quarantine a report names one by one."""


def failed_cases(result: SuiteResult) -> tuple[Case, ...]:
    """Return the cases that failed, in quarantine or not."""
    return tuple(case for case in result.cases if case.status in RED)


def excuse(result: SuiteResult, listed: Sequence[Quarantined], *, now: datetime) -> SuiteResult:
    """Return the result with its known failures marked, counted apart, and taken out of the verdict."""
    known = {entry.test for entry in listed if entry.counts(now)}
    cases = tuple(_marked(result.suite, case, known) for case in result.cases)
    marked = replace(result, cases=cases, counts=_counted_apart(result.counts, cases))
    if not any(case.quarantined for case in cases):
        return result
    return replace(marked, outcome=_outcome(marked))


def in_quarantine(result: SuiteResult, listed: Sequence[Quarantined]) -> Iterator[str]:
    """Say of each known failure that it decided nothing, why, and for how long."""
    entries = {entry.test: entry for entry in listed}
    known = [case for case in result.cases if case.quarantined]
    for case in islice(known, NOTED):
        entry = entries[name_of(result.suite, case)]
        until = f"; until {entry.until:%Y-%m-%d %H:%M} UTC" if entry.until else ""
        why = cut(on_one_line(entry.reason), MESSAGE_LENGTH)
        yield f"in quarantine: {result.suite}: {full_name(case)} failed and decides nothing ({why}{until})"
    if len(known) > NOTED:
        yield f"in quarantine: {len(known) - NOTED} more of {result.suite} failed and decide nothing"


def _marked(suite: str, case: Case, known: set[TestName]) -> Case:
    return replace(case, quarantined=True) if case.status in RED and name_of(suite, case) in known else case


def _counted_apart(counts: Counts, cases: Sequence[Case]) -> Counts:
    known = [case for case in cases if case.quarantined]
    failed = sum(case.status is CaseStatus.FAILED for case in known)
    return replace(
        counts,
        failed=counts.failed - failed,
        errors=counts.errors - (len(known) - failed),
        quarantined=len(known),
    )


def _outcome(result: SuiteResult) -> Outcome:
    """Judge again a suite that is red by its tests alone."""
    before, counts = result.outcome, result.counts
    if before.verdict is not Verdict.FAILED or before.reason is not Reason.TESTS_FAILED:
        return before
    if counts.failed + counts.errors:
        return replace(before, message=_left(result))
    if _is_explained(result):
        return Outcome(verdict=Verdict.PASSED, subject=before.subject, message=in_words(counts))
    why = f"{in_words(counts)}; but the command exited with {result.exit_code}, or its reports are not whole"
    return replace(before, message=why)


def _left(result: SuiteResult) -> str:
    counts = result.counts
    left = [case.name for case in failed_cases(result) if not case.quarantined]
    named = f": {', '.join(left[:3])}{', …' if len(left) > 3 else ''}" if left else ""  # noqa: PLR2004
    said = f"{counts.failed + counts.errors} of {plural(counts.total, 'test')} failed{cut(named, MESSAGE_LENGTH)}"
    return on_one_line(f"{said}; {plural(counts.quarantined, 'failure')} in quarantine")


def _is_explained(result: SuiteResult) -> bool:
    """Tell whether the failures in the reports are all that the command can have meant by its exit code."""
    by_itself = result.exit_code is not None and 0 <= result.exit_code < NOT_EXECUTABLE
    return by_itself and not result.partial and not result.problems
