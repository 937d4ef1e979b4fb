"""Young runs, one by one: those that are at work, and those that ended within the hour, as gauges that bear the run's name.

Read from the records, so every replica says the same (`max without (instance, pod)`), whoever ran them. Bounded: of the `MOST` that were
asked for last. What has ended is read once. Prometheus keeps what it scraped, so a run can be asked about long after.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from conductor.domain.cost import HOUR_SECONDS, Cost
from conductor.domain.event import Kind, StepRecord
from conductor.domain.results import Counts, SuiteResult
from conductor.domain.run import Status
from conductor.ports.store import RunRow, Store
from conductor.ports.usage import Used
from conductor.ports.world import World

YOUNG = timedelta(hours=1)
MOST = 100
LONGEST = 100
"""Characters of a label that a repository has a say in."""
OF_A_RUN = ("run", "attempt", "repository")


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What is told of one attempt."""

    row: RunRow
    until: datetime
    steps: tuple[StepRecord, ...] = ()
    suites: tuple[SuiteResult, ...] = ()
    peak: Used | None = None
    cost: Cost | None = None

    @property
    def labels(self) -> list[str]:
        """Whose it is."""
        run = self.row.run
        return [run.id, str(run.attempt), run.repository]

    @property
    def info(self) -> list[str]:
        """What is known of it in words."""
        outcome = self.row.outcome
        words = (outcome.verdict, outcome.reason or "", outcome.fault or "") if outcome else ("", "", "")
        branch = (self.row.run.source.branch or "")[:LONGEST]
        return [*self.labels, branch, str(self.row.status), *map(str, words)]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many test cases, by result."""
        names = Counts.__dataclass_fields__
        return {name: sum(getattr(one.counts, name) for one in self.suites) for name in names}


@dataclass(eq=False)
class YoungRuns(Collector):
    """Tells what was read last; `read` brings it up to date."""

    registry: CollectorRegistry
    seen: list[Seen] = field(default_factory=list)
    usage: Mapping[tuple[str, str], Mapping[str, Used]] = field(default_factory=dict)
    _ended: dict[tuple[str, int], Seen] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.registry.register(self)

    async def read(self, world: World) -> None:
        """Read who is young, and of each what has not been read before."""
        now = world.clock.now()
        rows = [row for row in await world.store.list_runs(limit=MOST) if _is_young(row, now)]
        ended = {_key(row): self._ended.get(_key(row)) for row in rows if row.status is Status.ENDED}
        self.seen = [ended.get(_key(row)) or await _look(world.store, row, now) for row in rows]
        self._ended = {_key(one.row): one for one in self.seen if one.row.status is Status.ENDED}
        self.usage = dict(world.news.usage)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Tell it."""
        labels = (*OF_A_RUN, "branch", "status", "verdict", "reason", "fault")
        yield _family(
            "info",
            "A run at work, or that ended within the hour: 1",
            labels,
            ((one.info, 1) for one in self.seen),
        )
        yield _family(
            "duration_seconds", "How long it took, or has been at work", OF_A_RUN, self._durations()
        )
        yield _family("tests", "Test cases, by result", (*OF_A_RUN, "result"), self._tests())
        yield _family(
            "step_duration_seconds", "How long each step took", (*OF_A_RUN, "step", "subject"), self._steps()
        )
        yield _family(
            "step_start_time_seconds",
            "When each step began, in seconds since 1970",
            (*OF_A_RUN, "step", "subject"),
            self._begins(),
        )
        peaks = [(one.labels, one.peak) for one in self.seen if one.peak]
        yield _family("peak_cpu_cores", "The most CPU that its stack took at a time, in cores", OF_A_RUN,
                      ((whose, peak.cpu_cores) for whose, peak in peaks))  # fmt: skip
        yield _family("peak_memory_bytes", "The most memory that its stack took at a time", OF_A_RUN,
                      ((whose, peak.memory_bytes) for whose, peak in peaks))  # fmt: skip
        costs = [(one.labels, one.cost) for one in self.seen if one.cost]
        yield _family("reserved_cpu_core_seconds", "CPU that it reserved, over time", OF_A_RUN,
                      ((whose, cost.cpu_hours * HOUR_SECONDS) for whose, cost in costs))  # fmt: skip
        yield _family(
            "cpu_cores",
            "What a workload of it takes now, in cores",
            ("run", "workload"),
            self._now("cpu_cores"),
        )
        yield _family(
            "memory_bytes",
            "Memory that a workload of it takes now",
            ("run", "workload"),
            self._now("memory_bytes"),
        )

    def _durations(self) -> Iterator[tuple[list[str], float]]:
        for one in self.seen:
            since = one.row.started_at or one.row.run.requested_at
            yield one.labels, (one.until - since).total_seconds()

    def _tests(self) -> Iterator[tuple[list[str], float]]:
        for one in self.seen:
            for result, number in one.counts.items() if one.suites else ():
                yield [*one.labels, result], number

    def _steps(self) -> Iterator[tuple[list[str], float]]:
        for one in self.seen:
            for step in one.steps:
                took = (step.ended_at or one.until) - step.started_at
                yield [*one.labels, step.name, step.subject[:LONGEST]], took.total_seconds()

    def _begins(self) -> Iterator[tuple[list[str], float]]:
        for one in self.seen:
            for step in one.steps:
                yield [*one.labels, step.name, step.subject[:LONGEST]], step.started_at.timestamp()

    def _now(self, what: str) -> Iterator[tuple[list[str], float]]:
        latest = {
            (run, name): used for (run, _), several in self.usage.items() for name, used in several.items()
        }
        for (run, name), used in latest.items():
            yield [run, name], float(getattr(used, what))


def _family(
    name: str, meaning: str, labels: Iterable[str], values: Iterable[tuple[list[str], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"conductor_run_{name}", meaning, labels=list(labels))
    for whose, value in values:
        family.add_metric(whose, value)
    return family


def _key(row: RunRow) -> tuple[str, int]:
    return row.run.id, row.run.attempt


def _is_young(row: RunRow, now: datetime) -> bool:
    return row.status is not Status.ENDED or (row.ended_at is not None and now - row.ended_at < YOUNG)


async def _look(store: Store, row: RunRow, now: datetime) -> Seen:
    key = _key(row)
    steps, suites = tuple(await store.steps(*key)), tuple(await store.results(*key))
    if row.status is not Status.ENDED:
        return Seen(row=row, until=now, steps=steps, suites=suites)
    report = await store.find_report(*key)
    return Seen(
        row=row,
        until=row.ended_at or now,
        steps=steps,
        suites=suites,
        peak=await _peak(store, *key),
        cost=report.cost if report else None,
    )


async def _peak(store: Store, run: str, attempt: int) -> Used | None:
    """Take the most of what was measured while each of its steps was at it."""
    after, peak = 0, None
    while batch := await store.events(run, after=after):
        after = batch[-1].seq
        for event in batch:
            if event.kind is Kind.USAGE_PEAKED and event.key.startswith(f"{attempt}/"):
                cores, memory = float(event.data["cpu_cores"]), int(event.data["memory_bytes"])
                peak = peak or Used()
                peak = Used(cpu_cores=max(peak.cpu_cores, cores), memory_bytes=max(peak.memory_bytes, memory))
    return peak
