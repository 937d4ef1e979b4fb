"""Test results, as JUnit has them, and what a suite of them amounts to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from conductor.domain.states import WorkloadState
from conductor.domain.verdict import Outcome


class CaseStatus(StrEnum):
    """How one test case ended."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One test case. Texts are as the producer wrote them, cut to a readable length."""

    name: str
    classname: str = ""
    file: str = ""
    line: int | None = None
    status: CaseStatus
    seconds: float = 0.0
    message: str = ""
    details: str = ""
    output: str = ""
    flaky: bool = False
    """It passed, but not at the first try."""
    quarantined: bool = False
    """It failed, and is known to: it decides nothing."""
    ended_at: datetime | None = None
    """When it ended, as far as the report's own times tell; nothing may be decided by it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """How many."""

    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    quarantined: int = 0
    """Failed, and known to: among neither the failed nor the errors."""

    @property
    def total(self) -> int:
        """All cases."""
        return self.passed + self.failed + self.errors + self.skipped + self.quarantined


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportProblem:
    """A report file that could not be read, and why: evidence that is not whole."""

    file: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteResult:
    """What came out of one suite."""

    suite: str
    outcome: Outcome
    exit_code: int | None = None
    seconds: float = 0.0
    counts: Counts = Counts()
    cases: tuple[Case, ...] = ()
    problems: tuple[ReportProblem, ...] = ()
    artifacts: tuple[str, ...] = ()
    """Paths in the run's evidence."""
    partial: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a suite's job ended: its last state, and whether Conductor stopped it because its time was over."""

    state: WorkloadState
    timed_out: bool = False
