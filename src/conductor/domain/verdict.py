"""How a run ends: a verdict, and for every verdict but `passed` a reason, whose fault it is, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The one word that a run is for."""

    PASSED = "passed"
    """The tests ran, and the command and its reports say yes."""
    FAILED = "failed"
    """The tests ran and said no; their own time limit and lack of memory count as that."""
    BROKEN = "broken"
    """There was no fair test."""
    CANCELLED = "cancelled"
    """Somebody stopped it."""
    SUPERSEDED = "superseded"
    """A newer run of the same branch took its place."""


class Fault(StrEnum):
    """Who can mend it."""

    REPOSITORY = "repository"
    """Whoever writes the repository: an agent can mend it."""
    PLATFORM = "platform"
    """Whoever runs the machines: Conductor tries once more by itself."""


class Reason(StrEnum):
    """Reason words: Kubernetes' own where there is one."""

    TESTS_FAILED = "TestsFailed"
    """Test cases failed, or the command of the tests did not exit with 0."""
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    """The tests did not end within the suite's time limit."""
    OOM_KILLED = "OOMKilled"
    """A container was ended because it used more memory than it may."""
    NO_TESTS = "NoTests"
    """The reports say that no test ran, or there is no suite to run."""
    CONFIGURATION = "InvalidConfiguration"
    """A file of the repository is wrong."""
    REFUSED = "Refused"
    """Something was asked for that Conductor does not do."""
    CLONE_FAILED = "CloneFailed"
    """The repository could not be fetched at that commit."""
    BUILD_FAILED = "BuildFailed"
    """An image could not be built."""
    VULNERABLE = "VulnerableImage"
    """A scan of an image found what the operator lets nobody pass with."""
    SCAN_FAILED = "ScanFailed"
    """Images must be scanned, and the scan of one has no result."""
    IMAGE_PULL = "ImagePullBackOff"
    """An image could not be pulled."""
    COMMAND_NOT_FOUND = "CommandNotFound"
    """The image has no such program, or it cannot be executed."""
    SECRET_MISSING = "SecretMissing"  # noqa: S105 -- a reason word
    """A secret that the repository asks for has no value in this environment."""
    SECRET_SYNC = "SecretSyncFailed"  # noqa: S105 -- a reason word
    """The workflow that brings the secrets to the cluster did not do so."""
    CRASHED = "CrashLoopBackOff"
    """A service ends again and again although it is started again."""
    ERROR = "Error"
    """A service ended that should run, or ended badly."""
    UNHEALTHY = "Unhealthy"
    """The health check of a service failed as often as it may."""
    NOT_READY = "NotReady"
    """The stack was not ready within its time, or never can be."""
    DEPENDENCY_FAILED = "DependencyFailed"
    """What a service depends on failed."""
    UNSCHEDULABLE = "Unschedulable"
    """No machine has room for it."""
    EVICTED = "Evicted"
    """The platform took a container away."""
    GONE = "WorkloadGone"
    """A container is not there any more, or left no exit code."""
    QUOTA = "QuotaExceeded"
    """The namespace may not hold that much."""
    VOLUME = "FailedMount"
    """A volume could not be bound or mounted."""
    FORBIDDEN = "Forbidden"
    """Conductor's account on the cluster lacks a right."""
    PORT_IN_USE = "PortInUse"
    """A port of this machine that was asked for is taken."""
    DISK_FULL = "DiskFull"
    """The disk of the engine's machine is full."""
    ENGINE_UNREACHABLE = "EngineUnreachable"
    """The container engine, or another system outside, does not answer."""
    CANCELLED = "Cancelled"
    """Somebody stopped the run."""
    SUPERSEDED = "Superseded"
    """A newer run of the same branch took its place."""
    INTERNAL = "InternalError"
    """Conductor made a mistake."""


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
        """What the command line answers: 0 passed, 1 failed, 2 misconfigured, 3 broken, 4 unreachable, 130 cancelled or superseded."""
        if self.reason in (Reason.CONFIGURATION, Reason.REFUSED):
            return 2
        if self.reason is Reason.ENGINE_UNREACHABLE:
            return 4
        return {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.BROKEN: 3}.get(self.verdict, 130)
