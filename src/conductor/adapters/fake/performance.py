"""How a workload performs: decided once, when it is made, and from then on a pure function of the time."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from conductor.adapters.fake.misfortunes import Misfortune
from conductor.adapters.fake.shell import FOREVER, Course, play
from conductor.domain.stack import Condition, Service, Stack
from conductor.domain.verdict import Fault, Reason

SOON = timedelta(milliseconds=200)

GREEN = '<testsuites><testsuite name="{name}" tests="1"><testcase classname="{name}" name="works" time="0.01"/></testsuite></testsuites>'
RED = (
    '<testsuites><testsuite name="{name}" tests="2" failures="1"><testcase classname="{name}" name="works" time="0.01"/>'
    '<testcase classname="{name}" name="breaks" time="0.02"><failure message="expected 200, got 500">at api.test.js:12</failure>'
    "</testcase></testsuite></testsuites>"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Performance:
    """All that a workload will ever do. `lasts` None: it runs until it is stopped. Contents of files are base64."""

    lines: tuple[tuple[float, str, str], ...] = ()
    """Seconds after the start, stream, text."""
    lasts: timedelta | None = None
    exit_code: int = 0
    pulls: timedelta = timedelta(0)
    reason: Reason | None = None
    """Of its end; with `starts` False, why it never does."""
    fault: Fault | None = None
    message: str = ""
    starts: bool = True
    healthy_after: timedelta | None = SOON
    """None: never."""
    files: Mapping[str, str] = field(default_factory=dict)

    def content(self, name: str) -> bytes:
        """Return a file."""
        return base64.b64decode(self.files[name])


def packed(files: Mapping[str, str | bytes]) -> dict[str, str]:
    """Make contents storable."""
    return {
        name: base64.b64encode(text.encode() if isinstance(text, str) else text).decode()
        for name, text in files.items()
    }


def of_service(stack: Stack, service: Service, misfortunes: Sequence[Misfortune]) -> Performance:
    """Work out how a service performs: as its command says, else it listens for ever, or ends well where its end is awaited."""
    course = _played(service)
    awaited = any(
        dependency.service == service.name and dependency.condition is Condition.COMPLETED
        for other in stack.services
        for dependency in other.depends_on
    )
    if not course.known:
        course.lines = [(0.0, "stdout", f"{service.name} is listening")]
        course.seconds = 0.0 if awaited else FOREVER
    return _struck(_performed(course, healthy_after=_healthy_after(service, course)), misfortunes)


def of_job(job: Service, reports: Sequence[str], misfortunes: Sequence[Misfortune]) -> Performance:
    """Work out how a job performs: as its command says, else one test passes and is reported."""
    course = _played(job)
    if not course.known:
        red = any(one.what == "fails" for one in misfortunes)
        course.lines = [(0.0, "stdout", f"{job.name}: 1 passed" + (", 1 failed" if red else ""))]
        course.exit_code = int(red)
        if reports:
            course.files[_report_name(reports)] = (RED if red else GREEN).format(name=job.name)
    return _struck(_performed(course), misfortunes)


def _played(service: Service) -> Course:
    command = (*(service.entrypoint or ()), *(service.command or ()))
    plain = {name: value for name, value in service.environment.items() if isinstance(value, str)}
    return play(command, plain)


def _performed(course: Course, *, healthy_after: timedelta | None = SOON) -> Performance:
    return Performance(
        lines=tuple(course.lines),
        lasts=None if course.seconds == FOREVER else timedelta(seconds=course.seconds),
        exit_code=course.exit_code,
        healthy_after=healthy_after,
        files=packed(course.files),
    )


def _healthy_after(service: Service, course: Course) -> timedelta | None:
    check = service.healthcheck
    if check is None or not check.test or check.test[0] == "NONE":
        return SOON
    command = ("sh", "-c", *check.test[1:]) if check.test[0] == "CMD-SHELL" else check.test[1:]
    passes = play(command, {}, files=course.files).exit_code == 0
    return min(check.interval, SOON) if passes else None


def _report_name(globs: Sequence[str]) -> str:
    """Return a name that the first of the globs matches."""
    return globs[0].replace("**/", "").replace("*", "junit").removesuffix("/")


def _struck(performance: Performance, misfortunes: Sequence[Misfortune]) -> Performance:
    for misfortune in misfortunes:
        performance = _befall(performance, misfortune)
    return performance


_PLATFORM = frozenset({Reason.UNSCHEDULABLE, Reason.QUOTA, Reason.DISK_FULL})


def _befall(performance: Performance, misfortune: Misfortune) -> Performance:
    changes: dict[str, Any]
    match misfortune.what, misfortune.reason:
        case "slow", _:
            changes = {"pulls": misfortune.lasts}
        case "hangs", _:
            changes = {"lasts": None}
        case ("never-ready", _) | (_, Reason.DEADLINE_EXCEEDED | Reason.NOT_READY | Reason.UNHEALTHY):
            changes = {"lasts": None, "healthy_after": None}
        case _, Reason.OOM_KILLED:
            changes = {
                "lasts": SOON,
                "exit_code": 137,
                "reason": Reason.OOM_KILLED,
                "message": "out of memory",
            }
        case _, Reason.CRASHED | Reason.ERROR:
            last = (*performance.lines, (0.1, "stderr", "fatal: it does not work"))
            changes = {"lines": last, "lasts": SOON, "exit_code": 1}
        case _, Reason.COMMAND_NOT_FOUND:
            message = "its image has no such program"
            changes = {
                "lasts": timedelta(0),
                "exit_code": 127,
                "reason": Reason.COMMAND_NOT_FOUND,
                "message": message,
                "lines": (),
            }
        case _, (Reason.EVICTED | Reason.GONE) as reason:
            changes = {
                "lasts": SOON,
                "exit_code": 137,
                "reason": reason,
                "fault": Fault.PLATFORM,
                "message": "taken away",
            }
        case _, Reason.TESTS_FAILED:
            changes = {"exit_code": 1}
        case _, Reason() as reason:
            fault = Fault.PLATFORM if reason in _PLATFORM else Fault.REPOSITORY
            changes = {
                "starts": False,
                "reason": reason,
                "fault": fault,
                "message": f"{reason.value}, as was asked for",
            }
        case _:
            changes = {}
    return replace(performance, **changes)
