"""The machine on which the fake containers run: it outlives Conductor, as a real engine does.

With a file, another process finds again what this one started; without, whoever shares the object does. What a container does is not
done by anybody: its state at any time follows from what it is and when it began.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from conductor.adapters.fake.performance import Performance
from conductor.domain.lease import Lease
from conductor.domain.report import LogLine
from conductor.domain.stack import Restart, Service
from conductor.domain.states import Health, Phase, WorkloadState

RESTART_PAUSE = timedelta(milliseconds=100)
STOPPED = 143
"""128 and SIGTERM."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """From a start to whatever cut it off: a stop, or falling asleep."""

    began_at: datetime
    cut_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """A container."""

    service: Service
    kind: Literal["service", "job"]
    performance: Performance
    lives: tuple[Life, ...]
    asleep: bool = False
    files: Mapping[str, str] = field(default_factory=dict)
    """What was copied in: name -> base64."""

    def state(self, now: datetime) -> WorkloadState:
        """Return its state at a time."""
        life = self.lives[-1]
        if self.asleep:
            return WorkloadState(name=self.service.name, phase=Phase.SLEEPING, started_at=life.began_at)
        if life.cut_at and not self._ended_before(life.cut_at):
            return self._ended(life.cut_at, STOPPED, restarts=self._round(life.cut_at)[0])
        if not self.performance.starts or now < self._starts(life):
            return self._pending()
        return self._running_or_ended(life, life.cut_at or now)

    def runs(self, now: datetime) -> bool:
        """Tell whether it runs."""
        return self.state(now).phase is Phase.RUNNING

    def is_over(self, now: datetime) -> bool:
        """Tell whether it writes no more, by itself."""
        return not self.performance.starts or self.state(now).phase in (Phase.ENDED, Phase.SLEEPING)

    def lines(self, now: datetime) -> list[LogLine]:
        """Return what it has written, over all its lives and restarts."""
        if not self.performance.starts:
            return []
        return [line for life in self.lives for line in self._lines(life, min(now, life.cut_at or now))]

    def content(self) -> dict[str, str]:
        """Return all files that it has: name -> base64."""
        return {**self.performance.files, **self.files}

    def _pending(self) -> WorkloadState:
        performance = self.performance
        if performance.starts:
            return WorkloadState(name=self.service.name, phase=Phase.PENDING, message="its image")
        return WorkloadState(
            name=self.service.name,
            phase=Phase.PENDING,
            reason=performance.reason,
            fault=performance.fault,
            message=performance.message,
        )

    def _running_or_ended(self, life: Life, now: datetime) -> WorkloadState:
        performance = self.performance
        restarts, began = self._round(now)
        if performance.lasts is None or now < began + performance.lasts:
            return WorkloadState(
                name=self.service.name,
                phase=Phase.RUNNING,
                health=self._health(began, now),
                exit_code=performance.exit_code if restarts else None,
                restarts=restarts,
                started_at=began,
            )
        if self._restarts() and restarts != self.service.restart_attempts:
            return replace(
                self._ended(began + performance.lasts, performance.exit_code, restarts=restarts),
                phase=Phase.PENDING,
            )
        return self._ended(self._starts(life) + performance.lasts, performance.exit_code, restarts=restarts)

    def _ended(self, at: datetime, exit_code: int, *, restarts: int) -> WorkloadState:
        performance = self.performance
        by_itself = exit_code == performance.exit_code
        return WorkloadState(
            name=self.service.name,
            phase=Phase.ENDED,
            exit_code=exit_code,
            reason=performance.reason if by_itself else None,
            message=performance.message if by_itself else "",
            fault=performance.fault if by_itself else None,
            restarts=restarts,
            started_at=self._starts(self.lives[-1]),
            ended_at=at,
        )

    def _health(self, began: datetime, now: datetime) -> Health:
        check = self.service.healthcheck
        if check is None or self.service.healthcheck_disabled or not check.test or check.test[0] == "NONE":
            return Health.NONE
        if self.performance.healthy_after is not None:
            return Health.HEALTHY if now >= began + self.performance.healthy_after else Health.STARTING
        gives_up = began + check.start_period + check.interval * check.retries
        return Health.UNHEALTHY if now >= gives_up else Health.STARTING

    def _starts(self, life: Life) -> datetime:
        return life.began_at + (self.performance.pulls if life is self.lives[0] else timedelta(0))

    def _restarts(self) -> bool:
        if self.kind == "job" or self.service.restart is Restart.NO:
            return False
        return self.service.restart is not Restart.ON_FAILURE or self.performance.exit_code != 0

    def _round(self, now: datetime) -> tuple[int, datetime]:
        """Return how often it was restarted, and when it began last."""
        began = self._starts(self.lives[-1])
        if self.performance.lasts is None or not self._restarts():
            return 0, began
        length = self.performance.lasts + RESTART_PAUSE
        times = max(0, (now - began) // length)
        if self.service.restart_attempts is not None:
            times = min(times, self.service.restart_attempts)
        return times, began + length * times

    def _ended_before(self, moment: datetime) -> bool:
        if not self.performance.starts or self.performance.lasts is None or self._restarts():
            return False
        return self._starts(self.lives[-1]) + self.performance.lasts <= moment

    def _lines(self, life: Life, until: datetime) -> Iterator[LogLine]:
        began, length = self._starts(life), self.performance.lasts
        while began <= until:
            for number, (seconds, stream, text) in enumerate(self.performance.lines):
                at = began + timedelta(seconds=seconds, microseconds=number)
                if at <= until + timedelta(microseconds=number):
                    yield LogLine(workload=self.service.name, at=at, text=text, stream=stream)
            if length is None or not self._restarts():
                return
            began += length + RESTART_PAUSE


@dataclass(frozen=True, kw_only=True, slots=True)
class Namespace:
    """An isolated place and what is in it."""

    name: str
    instance: str
    run: str
    created_at: datetime
    lease: Lease | None
    workloads: Mapping[str, Workload] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()


Namespaces = dict[str, Namespace]
_STORED: TypeAdapter[Namespaces] = TypeAdapter(Namespaces)


class Machine:
    """Holds the namespaces, in memory or in a file that processes share."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._namespaces: Namespaces = {}
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)

    def look(self) -> Namespaces:
        """Return what there is."""
        if self._path is None or not self._path.exists():
            return self._namespaces
        return _STORED.validate_json(self._path.read_bytes())

    @contextmanager
    def change(self) -> Iterator[Namespaces]:
        """Change what there is; other processes wait."""
        if self._path is None:
            yield self._namespaces
            return
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            namespaces = self.look()
            yield namespaces
            fresh = self._path.with_suffix(".new")
            fresh.write_bytes(_STORED.dump_json(namespaces))
            os.replace(fresh, self._path)  # noqa: PTH105 -- whole or not at all
