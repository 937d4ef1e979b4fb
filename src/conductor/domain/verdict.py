"""How a run ends: a verdict, and for every verdict but `passed` a reason, whose fault it is, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The one word that a run is for."""

    PASSED = "passed"
    FAILED = "failed"
    """The tests ran and said no; their own time limit and lack of memory count as that."""
    BROKEN = "broken"
    """There was no fair test."""
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class Fault(StrEnum):
    """Who can mend it."""

    REPOSITORY = "repository"
    PLATFORM = "platform"


class Reason(StrEnum):
    """Reason words: Kubernetes' own where there is one."""

    TESTS_FAILED = "TestsFailed"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    OOM_KILLED = "OOMKilled"
    NO_TESTS = "NoTests"
    CONFIGURATION = "InvalidConfiguration"
    REFUSED = "Refused"
    CLONE_FAILED = "CloneFailed"
    BUILD_FAILED = "BuildFailed"
    IMAGE_PULL = "ImagePullBackOff"
    COMMAND_NOT_FOUND = "CommandNotFound"
    SECRET_MISSING = "SecretMissing"  # noqa: S105 -- a reason word
    CRASHED = "CrashLoopBackOff"
    ERROR = "Error"
    UNHEALTHY = "Unhealthy"
    NOT_READY = "NotReady"
    DEPENDENCY_FAILED = "DependencyFailed"
    UNSCHEDULABLE = "Unschedulable"
    EVICTED = "Evicted"
    GONE = "WorkloadGone"
    QUOTA = "QuotaExceeded"
    PORT_IN_USE = "PortInUse"
    DISK_FULL = "DiskFull"
    ENGINE_UNREACHABLE = "EngineUnreachable"
    CANCELLED = "Cancelled"
    SUPERSEDED = "Superseded"
    INTERNAL = "InternalError"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The verdict and why.

    `subject` names what it is about (a service, a suite, an image; empty for the run as a whole); `message` says what happened,
    `remedy` is one sentence on what to do.
    """

    verdict: Verdict
    reason: Reason | None = None
    fault: Fault | None = None
    subject: str = ""
    message: str = ""
    remedy: str = ""

    @property
    def exit_code(self) -> int:
        """What the command line answers: 0 passed, 1 failed, 2 misconfigured, 3 broken, 130 cancelled or superseded."""
        if self.reason in (Reason.CONFIGURATION, Reason.REFUSED):
            return 2
        return {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.BROKEN: 3}.get(self.verdict, 130)
