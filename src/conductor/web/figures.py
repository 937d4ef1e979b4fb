"""What this process has done, as counters and histograms of Prometheus: it hears each event that it puts on record, once.

Law: every fact is counted by the one process that recorded it, so replicas are added up (`sum(rate(...))`), and a restart begins at 0, as
Prometheus expects. What is the same for all replicas is no counter but a gauge, in `metrics.py`. Labels are bounded: verdicts, faults, the
names of steps, and repositories, of which there are as many as the allow-list lets in, and `MOST_REPOSITORIES` at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram

from conductor.domain.cost import GIB, HOUR_SECONDS
from conductor.domain.event import Event, Kind

MOST_REPOSITORIES = 500
"""Those beyond it are counted together, as `other`."""
STAGE_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
SYNC_SECRETS = ("sync-secrets", "sync-environment-secrets")


class Figures:
    """The counters of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._repositories: set[str] = set()
        self.runs = Counter(
            "conductor_runs",
            "Attempts of runs that ended",
            ["repository", "verdict", "fault"],
            registry=registry,
        )
        self.reasons = Counter(
            "conductor_run_reasons",
            "Attempts that did not pass, by reason word",
            ["reason"],
            registry=registry,
        )
        self.started = Counter("conductor_runs_started", "Attempts of runs that began", registry=registry)
        self.run_seconds = _histogram(
            registry, "conductor_run_seconds", "From the begin of an attempt to its end", "repository"
        )
        self.step_seconds = _histogram(registry, "conductor_step_seconds", "Time that a step took", "step")
        self.step_errors = Counter("conductor_step_errors", "Steps that failed", ["step"], registry=registry)
        self.secrets = _histogram(
            registry,
            "conductor_secret_sync_seconds",
            "Time until the secrets of a run or an environment were there: the wait for the runner's workflow is in it",
        )
        self.builds = Counter(
            "conductor_builds",
            "Images asked for: built, cached (found built) or failed",
            ["result"],
            registry=registry,
        )
        self.build_seconds = _histogram(
            registry, "conductor_build_seconds", "Time to build an image, those that were found left out"
        )
        self.suites = Counter("conductor_suites", "Test suites that ended", ["verdict"], registry=registry)
        self.tests = Counter("conductor_tests", "Test cases, by result", ["result"], registry=registry)
        self.cpu = Counter(
            "conductor_reserved_cpu_core_seconds",
            "CPU that runs reserved over time, until they ended",
            ["repository"],
            registry=registry,
        )
        self.memory = Counter(
            "conductor_reserved_memory_byte_seconds",
            "Memory that runs reserved over time, until they ended",
            ["repository"],
            registry=registry,
        )
        self.cost = Counter(
            "conductor_cost", "What that came to by the tariff", ["repository", "currency"], registry=registry
        )
        self._by_kind: Mapping[Kind, Callable[[Event], None]] = {
            Kind.RUN_STARTED: lambda _: self.started.inc(),
            Kind.RUN_ENDED: self._run_ended,
            Kind.STEP_ENDED: self._step_ended,
            Kind.BUILD_ENDED: self._build_ended,
            Kind.SUITE_ENDED: self._suite_ended,
        }

    def heard(self, event: Event) -> None:
        """Count an event that this process put on record."""
        if count := self._by_kind.get(event.kind):
            count(event)

    def repository(self, name: str) -> str:
        """Return the label of a repository."""
        if name not in self._repositories and len(self._repositories) >= MOST_REPOSITORIES:
            return "other"
        self._repositories.add(name)
        return name

    def _run_ended(self, event: Event) -> None:
        data = event.data
        repository = self.repository(str(data.get("repository") or ""))
        self.runs.labels(repository, str(data["verdict"]), str(data.get("fault") or "")).inc()
        if data.get("reason"):
            self.reasons.labels(str(data["reason"])).inc()
        if "seconds" in data:
            self.run_seconds.labels(repository).observe(float(data["seconds"]))
        self.cpu.labels(repository).inc(float(data.get("cpu_hours", 0)) * HOUR_SECONDS)
        self.memory.labels(repository).inc(float(data.get("gib_hours", 0)) * HOUR_SECONDS * GIB)
        if "price" in data:
            self.cost.labels(repository, str(data.get("currency", ""))).inc(float(data["price"]))

    def _step_ended(self, event: Event) -> None:
        seconds = float(event.data.get("seconds", 0))
        self.step_seconds.labels(event.subject).observe(seconds)
        if event.data.get("error"):
            self.step_errors.labels(event.subject).inc()
        if event.subject in SYNC_SECRETS:
            self.secrets.observe(seconds)

    def _build_ended(self, event: Event) -> None:
        data = event.data
        result = "failed" if data.get("error") else "cached" if data.get("cached") else "built"
        self.builds.labels(result).inc()
        if result == "built":
            self.build_seconds.observe(float(data.get("seconds", 0)))

    def _suite_ended(self, event: Event) -> None:
        self.suites.labels(str(event.data.get("verdict", ""))).inc()
        for result in RESULTS:
            self.tests.labels(result).inc(int(event.data.get(result, 0)))


RESULTS = ("passed", "failed", "errors", "skipped", "quarantined")
"""What becomes of test cases; as `domain.results.Counts` has it."""


def _histogram(registry: CollectorRegistry, name: str, meaning: str, *labels: str) -> Histogram:
    return Histogram(name, meaning, labels, buckets=STAGE_BUCKETS, registry=registry)
