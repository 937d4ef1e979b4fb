"""A run of the shop as a list of what happens in it: four services, three images, one red suite."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from conductor.cli.progress import Progress, advance
from conductor.domain.event import Event, Kind
from conductor.domain.lease import Lease, NamespaceInfo, NamespaceStatus
from conductor.domain.report import LogLine, Report
from conductor.domain.run import Run, Source, Status
from conductor.domain.states import Health, Phase, WorkloadState
from conductor.domain.verdict import Fault, Outcome, Reason, Verdict
from conductor.operations.stacks import StackView
from conductor.ports.store import RunRow

ASKED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
COMMIT = "3f2a91c" + "0" * 33
RUN = Run(
    id="shop-k3v9qd",
    repository="acme/shop",
    source=Source(location="/src/shop", ref="run-integration-tests", commit=COMMIT, branch="12-orders"),
    principal="ada",
    requested_at=ASKED,
)
FAILED = Outcome(
    verdict=Verdict.FAILED,
    reason=Reason.TESTS_FAILED,
    fault=Fault.REPOSITORY,
    message="2 of 17 tests failed",
    remedy="Read the failures below.",
)
LEASE = Lease(
    namespace=RUN.namespace,
    run=RUN.id,
    repository=RUN.repository,
    branch="12-orders",
    created_at=ASKED,
    expires_at=ASKED + timedelta(hours=24),
    status=NamespaceStatus.KEPT,
)
_numbers = count(1)

Item = Event | LogLine


def at(seconds: float) -> datetime:
    return ASKED + timedelta(seconds=seconds)


def event(when: float, kind: Kind, about: str = "", /, **data: Any) -> Event:
    number = next(_numbers)
    return Event(run=RUN.id, key=str(number), at=at(when), kind=kind, subject=about, data=data, seq=number)


def step(begin: float, end: float, name: str, **data: Any) -> list[Item]:
    return [
        event(begin, Kind.STEP_STARTED, name, **data),
        event(end, Kind.STEP_ENDED, name, seconds=end - begin, **data),
    ]


def service(when: float, name: str, phase: str, health: str = "none", /, **data: Any) -> Event:
    return event(when, Kind.SERVICE_CHANGED, name, phase=phase, health=health, **data)


def story() -> list[Item]:
    """Tell it from the request to the verdict, in the order of time."""
    items: list[Item] = [event(0, Kind.RUN_REQUESTED), event(0.1, Kind.RUN_STARTED, attempt=1)]
    items += step(0.1, 0.5, "clone") + step(0.5, 0.7, "read-plan") + step(0.7, 1, "create-namespace")
    items += step(1, 1.05, "sync-secrets")
    items += [event(1.1, Kind.BUILD_STARTED, image) for image in ("backend", "frontend", "tests/tests")]
    items += [
        event(1.1, Kind.STEP_STARTED, "raise-stack"),
        service(1.4, "redis", "running", "starting"),
        service(1.4, "mailhog", "running"),
        event(1.6, Kind.BUILD_ENDED, "frontend", seconds=0.5, cached=True),
        service(3, "redis", "running", "healthy"),
        event(9, Kind.BUILD_ENDED, "backend", seconds=7.9, cached=False),
        service(9.2, "backend", "running", "starting"),
        service(10, "backend", "running", "healthy"),
        service(10.2, "frontend", "running"),
        event(10.3, Kind.STEP_ENDED, "raise-stack", seconds=9.2),
        event(12, Kind.BUILD_ENDED, "tests/tests", seconds=10.9, cached=False),
        event(12.4, Kind.SUITE_STARTED, "tests", workload="tests"),
    ]
    items += [log(13 + number / 2, f"\x1b[32mPASS\x1b[0m orders/{number}.test.js") for number in range(9)]
    items += [
        event(
            20,
            Kind.SUITE_ENDED,
            "tests",
            verdict="failed",
            passed=14,
            failed=2,
            errors=0,
            skipped=1,
            seconds=7.6,
        ),
        event(20, Kind.NOTE, text="The default branch has no .conductor.yaml yet."),
    ]
    items += step(20, 20.5, "capture-logs")
    items += [
        event(20.6, Kind.LEASE_CHANGED, RUN.namespace, status="kept", expires_at=at(86420).isoformat()),
        event(
            20.7,
            Kind.RUN_ENDED,
            verdict="failed",
            reason="TestsFailed",
            fault="repository",
            subject_of_outcome="",
            message="2 of 17 tests failed",
            remedy="Read the failures below.",
            again=False,
        ),
    ]
    return items


def log(seconds: float, text: str, workload: str = "tests") -> LogLine:
    return LogLine(workload=workload, at=at(seconds), text=text)


def progress_at(seconds: float) -> Progress:
    progress = Progress(run=RUN)
    for item in story():
        if item.at <= at(seconds):
            progress = advance(progress, item)
    return progress


def row(**changes: Any) -> RunRow:
    told: dict[str, Any] = {
        "run": RUN,
        "status": Status.ENDED,
        "outcome": FAILED,
        "started_at": at(0.1),
        "ended_at": at(20.7),
    }
    return RunRow(**(told | changes))


def report() -> Report:
    return Report(run=RUN, outcome=FAILED, started_at=at(0.1), ended_at=at(20.7), lease=LEASE)


def stack() -> StackView:
    return StackView(
        info=NamespaceInfo(name=RUN.namespace, run=RUN.id, lease=LEASE, created_at=ASKED, workloads=2),
        lease=LEASE,
        services={
            "redis": WorkloadState(name="redis", phase=Phase.RUNNING, health=Health.HEALTHY),
            "setup": WorkloadState(name="setup", phase=Phase.ENDED, exit_code=0),
        },
    )
