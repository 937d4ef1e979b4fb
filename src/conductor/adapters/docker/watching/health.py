"""Health checks, run by Conductor itself: Podman without systemd never runs them, and one meaning on every engine is worth more.

Compose's times decide when a failure counts. Until a service is healthy it is asked more often than that, and a failure between the
times counts for nothing: a service that is ready early is seen early, and none is given up sooner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from conductor.domain.stack import Healthcheck
from conductor.domain.states import Health
from conductor.errors import ConductorError, NotFoundError

FIRST_GAP = 0.02
"""Seconds between the first askings; each gap is twice the one before."""
LONGEST_GAP = 2.0

Probe = Callable[[], Awaitable[tuple[bool, str]]]
"""Runs the check once: whether it went well, and what it said."""


@dataclass(slots=True)
class Schedule:
    """When to ask, and what the answers amount to. Pure: seconds since the container's start come from outside."""

    check: Healthcheck
    health: Health = Health.STARTING
    failures: int = 0
    due: float = field(init=False)
    """When the next asking that counts is due."""
    gap: float = FIRST_GAP
    """Until the service is healthy: seconds from its start, or from the last answer, to the next asking."""
    answered_at: float = 0.0

    def __post_init__(self) -> None:
        self.due = self._interval(0.0)

    def delay(self, elapsed: float) -> float:
        """Return the seconds until the next asking."""
        until_due = max(0.0, self.due - elapsed)
        if self.health is not Health.STARTING:
            return until_due
        return min(max(0.0, self.answered_at + self.gap - elapsed), until_due)

    def answer(self, well: bool, asked_at: float, elapsed: float) -> None:  # noqa: FBT001 -- the answer is yes or no
        """Take an answer to what was asked at `asked_at` and came at `elapsed`."""
        counts = asked_at >= self.due
        if well:
            self.health, self.failures = Health.HEALTHY, 0
        elif counts and not self._forgiven(asked_at):
            self.failures += 1
            if self.failures >= self.check.retries:
                self.health = Health.UNHEALTHY
        self.answered_at, self.gap = elapsed, min(self.gap * 2, LONGEST_GAP)
        if well or counts:
            self.due = elapsed + self._interval(elapsed)

    def _forgiven(self, elapsed: float) -> bool:
        in_start_period = elapsed < self.check.start_period.total_seconds()
        return in_start_period and self.health is Health.STARTING

    def _interval(self, elapsed: float) -> float:
        early = self.health is Health.STARTING and elapsed < self.check.start_period.total_seconds()
        return (self.check.start_interval if early else self.check.interval).total_seconds()


@dataclass(slots=True)
class Reading:
    """What is known of one container's health."""

    health: Health = Health.STARTING
    output: str = ""


class HealthChecks:
    """The checks that are running, one for each life of a container."""

    def __init__(self) -> None:
        self._readings: dict[str, Reading] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def reading(self, life: str) -> Reading:
        """Return what is known of this life; starting, where nothing is."""
        return self._readings.get(life, Reading())

    def start(
        self, life: str, check: Healthcheck, *, age: float, probe: Probe, changed: Callable[[], None]
    ) -> None:
        """Check this life, `age` seconds after its start, unless that is done already."""
        task = self._tasks.get(life)
        if task is None or task.done():
            self._tasks[life] = asyncio.create_task(self._run(life, Schedule(check), age, probe, changed))

    async def stop(self, lives: set[str]) -> None:
        """Stop checking these; what is known of them stays."""
        tasks = [task for life in lives if (task := self._tasks.pop(life, None))]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(
        self, life: str, schedule: Schedule, age: float, probe: Probe, changed: Callable[[], None]
    ) -> None:
        known = self._readings.setdefault(life, Reading())
        schedule.health = known.health
        clock = asyncio.get_running_loop().time
        born = clock() - age
        while True:
            await asyncio.sleep(schedule.delay(clock() - born))
            asked_at = clock() - born
            try:
                well, known.output = await probe()
            except NotFoundError:
                return  # it does not run any more
            except ConductorError:
                await asyncio.sleep(
                    schedule.check.start_interval.total_seconds()
                )  # the engine is away: no answer at all
                continue
            schedule.answer(well, asked_at, clock() - born)
            if known.health is not schedule.health:
                known.health = schedule.health
                changed()
