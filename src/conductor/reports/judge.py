"""The verdict of a suite and of a run.

Laws. A container that the platform took away is never `passed`. The command's exit code and the reports must both say yes. A red test is a
verdict; `broken` means that there was no fair test. The worst suite decides for the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from conductor.domain.report import BuiltImage, ServiceEnding
from conductor.domain.results import Case, CaseStatus, Counts, SuiteResult
from conductor.domain.scan import ScanState, Severity
from conductor.domain.states import REMEDIES, Phase, WorkloadState, fault_of
from conductor.domain.verdict import Fault, Outcome, Reason, Verdict
from conductor.errors import (
    CancelledRunError,
    ConductorError,
    ConfigurationError,
    RefusedError,
    RunError,
    UnreachableError,
    UsageError,
)
from conductor.reports.junit import JUnit, count
from conductor.reports.readable import cut, on_one_line
from conductor.reports.words import duration, in_words, plural

NOT_EXECUTABLE = 126
NOT_FOUND = 127
SIGNALS = 128
MESSAGE_LENGTH = 300

_STOPPED = {
    Reason.CANCELLED: Verdict.CANCELLED,
    Reason.SUPERSEDED: Verdict.SUPERSEDED,
}
_OWN_LIMITS = (Reason.DEADLINE_EXCEEDED, Reason.OOM_KILLED)


def judge_suite(
    suite: str,
    state: WorkloadState | None,
    junit: JUnit,
    *,
    time_limit: timedelta,
    ended_by: Reason | None = None,
    expected: Sequence[str] = (),
) -> SuiteResult:
    """Judge one suite by how its container ended and what it wrote.

    `state` None: the container has vanished. `ended_by` is why Conductor stopped it (its time limit, cancelled, superseded), None where it
    ended by itself. `expected` are the globs under which reports were looked for.
    """
    well = state is not None and _ended_well(state) and ended_by is None
    cases = _with_retries_settled(junit.cases) if well else junit.cases
    counts = _less(junit.counts, count(junit.cases), count(cases))
    verdict = _stopped(state, ended_by, time_limit, counts) or _unfair(state, counts)
    outcome = verdict or _by_the_tests(state, counts, junit, cases, expected)
    return SuiteResult(
        suite=suite,
        outcome=replace(outcome, subject=suite),
        exit_code=state.exit_code if state else None,
        seconds=_seconds(state),
        counts=counts,
        cases=cases,
        problems=junit.problems,
        partial=bool(junit.problems) or outcome.verdict not in (Verdict.PASSED, Verdict.FAILED),
    )


def judge_run(suites: Sequence[SuiteResult]) -> Outcome:
    """Judge the run by its worst suite; the message names every suite that is as bad."""
    if not suites:
        return _outcome(Verdict.BROKEN, Reason.NO_TESTS, "the run has no test suite")
    worst = min(suites, key=_badness)
    if len(suites) == 1:
        return worst.outcome
    verdict = worst.outcome.verdict
    alike = [suite for suite in suites if suite.outcome.verdict is verdict]
    message = "; ".join(f"{suite.suite}: {suite.outcome.message}" for suite in alike)
    return replace(
        worst.outcome, message=message, subject="" if verdict is Verdict.PASSED else worst.outcome.subject
    )


def judge_services(outcome: Outcome, services: Sequence[ServiceEnding]) -> Outcome:
    """Reconsider red tests by how the services stood at the end: beside one that crashed, they were no fair test.

    Tests that passed all the same stand, and so does what was stopped or broken before.
    """
    ended = (one for one in services if one.phase == Phase.ENDED and not one.may_fail)
    crashed = next((one for one in ended if one.exit_code not in (0, None)), None)
    if outcome.verdict is not Verdict.FAILED or outcome.reason is not Reason.TESTS_FAILED or crashed is None:
        return outcome
    reason = Reason(crashed.reason) if crashed.reason else Reason.ERROR
    said = f" ({crashed.message})" if crashed.message else ""
    message = f"{crashed.name} exited with {crashed.exit_code}{said} while the tests ran; {outcome.message}"
    return replace(_outcome(Verdict.BROKEN, reason, message), subject=crashed.name)


def judge_scans(outcome: Outcome, images: Sequence[BuiltImage], *, gate: Severity | None) -> Outcome:
    """Reconsider a pass by what scanners found. Without a gate nothing changes; with one, what was not scanned passes as little."""
    if gate is None or outcome.verdict is not Verdict.PASSED:
        return outcome
    found = [(image, image.scan.reaching(gate)) for image in images if image.scan]
    if bad := [(image, number) for image, number in found if number]:
        names = "; ".join(
            f"{image.name}: {plural(number, 'vulnerability')} of severity {gate.lower()} or worse"
            for image, number in bad
        )
        return replace(
            _outcome(Verdict.FAILED, Reason.VULNERABLE, f"the tests passed; {names}"), subject=bad[0][0].name
        )
    unknown = next((one for one in images if one.scan is None or one.scan.state is not ScanState.DONE), None)
    if unknown is None:
        return outcome
    said = unknown.scan.message if unknown.scan and unknown.scan.message else "nobody scans there"
    message = f"the tests passed; {unknown.name} has no scan: {said}"
    # nobody's fault by name: another attempt of the whole run would be scanned no better
    return replace(_outcome(Verdict.BROKEN, Reason.SCAN_FAILED, message), subject=unknown.name, fault=None)


def broken(error: ConductorError) -> Outcome:
    """Make the outcome of a run that an error ended before there was a fair test."""
    if isinstance(error, CancelledRunError):
        return Outcome(verdict=Verdict.CANCELLED, reason=Reason.CANCELLED, message=error.message)
    reason, fault = _reason_of(error)
    return Outcome(
        verdict=Verdict.BROKEN,
        reason=reason,
        fault=fault,
        subject=error.subject if isinstance(error, RunError) else "",
        message=error.message,
        remedy=error.remedy or REMEDIES[reason],
    )


def _reason_of(error: ConductorError) -> tuple[Reason, Fault]:
    if isinstance(error, RunError):
        return Reason(error.reason), Fault(error.fault)
    for kind, reason in (
        (ConfigurationError, Reason.CONFIGURATION),
        (RefusedError, Reason.REFUSED),
        (UsageError, Reason.CONFIGURATION),
        (UnreachableError, Reason.ENGINE_UNREACHABLE),
    ):
        if isinstance(error, kind):
            return reason, fault_of(reason)
    return Reason.INTERNAL, Fault.PLATFORM


_WORST_FIRST = (Verdict.CANCELLED, Verdict.SUPERSEDED, Verdict.BROKEN, Verdict.FAILED, Verdict.PASSED)


def _badness(suite: SuiteResult) -> tuple[int, bool]:
    """Order verdicts; of two broken suites the repository's own fault counts: trying again would not mend it."""
    return _WORST_FIRST.index(suite.outcome.verdict), suite.outcome.fault is Fault.PLATFORM


def _stopped(
    state: WorkloadState | None, ended_by: Reason | None, limit: timedelta, counts: Counts
) -> Outcome | None:
    """Judge what somebody ended: the caller, the time limit, the memory limit."""
    if ended_by in _STOPPED:
        return Outcome(verdict=_STOPPED[ended_by], reason=ended_by, message=f"stopped: {in_words(counts)}")
    reason = ended_by or (state.reason if state else None)
    if reason is Reason.DEADLINE_EXCEEDED:
        message = f"the tests were stopped at their time limit of {duration(limit.total_seconds())}"
    elif reason is Reason.OOM_KILLED:
        message = "the tests used more memory than they may"
    else:
        return None
    return _outcome(Verdict.FAILED, reason, f"{message}{_so_far(counts)}", fault=Fault.REPOSITORY)


def _unfair(state: WorkloadState | None, counts: Counts) -> Outcome | None:
    """Judge what never was a test: nothing started, or something took it away."""
    if state is None:
        return _outcome(Verdict.BROKEN, Reason.GONE, "the container of the tests has vanished")
    if state.reason is not None and state.reason not in (*_OWN_LIMITS, Reason.ERROR, Reason.CRASHED):
        message = state.message or f"the tests did not run: {state.reason}"
        return _outcome(Verdict.BROKEN, state.reason, message, fault=state.fault)
    if state.phase is not Phase.ENDED or state.exit_code is None:
        return _outcome(Verdict.BROKEN, Reason.GONE, "the container of the tests left no exit code")
    if state.exit_code in (NOT_EXECUTABLE, NOT_FOUND) and not counts.total:
        what = "cannot be executed" if state.exit_code == NOT_EXECUTABLE else "was not found"
        message = f"the command of the tests {what} (exit code {state.exit_code})"
        return _outcome(Verdict.BROKEN, Reason.COMMAND_NOT_FOUND, message)
    return None


def _by_the_tests(
    state: WorkloadState | None, counts: Counts, junit: JUnit, cases: Sequence[Case], expected: Sequence[str]
) -> Outcome:
    exit_code = state.exit_code if state else None
    if counts.failed + counts.errors:
        return _outcome(Verdict.FAILED, Reason.TESTS_FAILED, _failures(counts, cases, exit_code))
    if exit_code != 0:
        return _outcome(
            Verdict.FAILED, Reason.TESTS_FAILED, f"{_exit(exit_code)}, and {_said(counts, junit)}"
        )
    if junit.files and not counts.total and not junit.problems:
        return _outcome(Verdict.FAILED, Reason.NO_TESTS, "the reports say that no test ran")
    return Outcome(verdict=Verdict.PASSED, message=_passed(counts, junit, cases, expected))


def _failures(counts: Counts, cases: Sequence[Case], exit_code: int | None) -> str:
    bad = [case.name for case in cases if case.status in (CaseStatus.FAILED, CaseStatus.ERROR)]
    named = f": {', '.join(bad[:3])}{', …' if len(bad) > 3 else ''}" if bad else ""  # noqa: PLR2004
    although = " although the command exited with 0" if exit_code == 0 else ""
    return f"{counts.failed + counts.errors} of {plural(counts.total, 'test')} failed{although}" + cut(
        named, MESSAGE_LENGTH
    )


def _passed(counts: Counts, junit: JUnit, cases: Sequence[Case], expected: Sequence[str]) -> str:
    if not junit.files and not junit.problems:
        where = f" at {', '.join(expected)}" if expected else ""
        return f"the command exited with 0; no report was found{where}"
    flaky = sum(case.flaky for case in cases)
    retried = f"; {flaky} only when tried again" if flaky else ""
    unread = f"; {plural(len(junit.problems), 'report')} could not be read whole" if junit.problems else ""
    return in_words(counts) + retried + unread


def _exit(exit_code: int | None) -> str:
    killed = (
        f" (killed by signal {exit_code - SIGNALS})"
        if exit_code and SIGNALS < exit_code < SIGNALS + 65
        else ""
    )
    return f"the command exited with {exit_code}{killed}"


def _said(counts: Counts, junit: JUnit) -> str:
    if counts.total:
        return f"no report names a failed test ({in_words(counts)})"
    return "its reports hold no test" if junit.files else "it left no report that could be read"


def _so_far(counts: Counts) -> str:
    return f"; until then {in_words(counts)}" if counts.total else ""


def _ended_well(state: WorkloadState) -> bool:
    return state.phase is Phase.ENDED and state.exit_code == 0 and state.reason is None


def _with_retries_settled(cases: Sequence[Case]) -> tuple[Case, ...]:
    """Where the command was content, take a case that failed and passed under one name for one that was tried again.

    Gradle and others write every try as a case of its own. Only the exit code tells that from two tests of one name.
    """
    passed = {_who(case) for case in cases if case.status is CaseStatus.PASSED}
    retried = {_who(case): case for case in cases if _failed(case) and _who(case) in passed}
    return tuple(
        replace(case, flaky=True, message=retried[_who(case)].message) if _who(case) in retried else case
        for case in cases
        if not (_failed(case) and _who(case) in passed)
    )


def _who(case: Case) -> tuple[str, str, str]:
    return case.file, case.classname, case.name


def _failed(case: Case) -> bool:
    return case.status in (CaseStatus.FAILED, CaseStatus.ERROR)


def _less(all_counted: Counts, before: Counts, after: Counts) -> Counts:
    """Take out of the counts what settling took out of the cases; counts without cases stay."""
    return Counts(
        passed=all_counted.passed - before.passed + after.passed,
        failed=all_counted.failed - before.failed + after.failed,
        errors=all_counted.errors - before.errors + after.errors,
        skipped=all_counted.skipped - before.skipped + after.skipped,
    )


def _seconds(state: WorkloadState | None) -> float:
    if state is None or state.started_at is None or state.ended_at is None:
        return 0.0
    return max((state.ended_at - state.started_at).total_seconds(), 0.0)


def _outcome(verdict: Verdict, reason: Reason, message: str, *, fault: Fault | None = None) -> Outcome:
    return Outcome(
        verdict=verdict,
        reason=reason,
        fault=fault or fault_of(reason),
        message=cut(on_one_line(message), 2 * MESSAGE_LENGTH),
        remedy=REMEDIES[reason],
    )
