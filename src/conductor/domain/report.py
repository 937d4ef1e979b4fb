"""The report: all that a reader of a verdict wants to see, as data. `reports/` makes text of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from conductor.domain.attestation import Attestation
from conductor.domain.cost import Cost
from conductor.domain.event import StepRecord
from conductor.domain.history import SinceGreen
from conductor.domain.lease import Lease
from conductor.domain.results import Case, SuiteResult
from conductor.domain.run import Run
from conductor.domain.scan import Scan
from conductor.domain.verdict import Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltImage:
    """One image of the run: what was built or found, and whether it had to be built."""

    name: str
    """`<service>` or `tests/<suite>`."""
    reference: str
    digest: str = ""
    cached: bool = False
    seconds: float = 0.0
    published: str = ""
    """`NAME@sha256:...` in the registry; empty where the image is the engine's alone."""
    link: str = ""
    """The registry's page of it."""
    scan: Scan | None = None
    attestation: Attestation | None = None
    """None where nobody asked for any."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceEnding:
    """How a service stood when the tests were over."""

    name: str
    phase: str
    health: str = ""
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    restarts: int = 0
    ready_after_seconds: float | None = None
    may_fail: bool = False
    """Nobody requires it: its failure decides nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Captured:
    """What the end of a run saw: how the services stood, and what of the evidence could not be had."""

    services: tuple[ServiceEnding, ...] = ()
    partial: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLine:
    """One line that a container wrote. `at` has the engine's precision; `text` has no line end and is masked."""

    workload: str
    at: datetime
    text: str
    stream: str = "stdout"


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A failed case, with what the services wrote around that moment."""

    suite: str
    case: Case
    around: tuple[LogLine, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything. `steps` carries the stage times; `links` name -> address or command."""

    run: Run
    outcome: Outcome
    started_at: datetime
    ended_at: datetime
    steps: tuple[StepRecord, ...] = ()
    images: tuple[BuiltImage, ...] = ()
    services: tuple[ServiceEnding, ...] = ()
    suites: tuple[SuiteResult, ...] = ()
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    """What of the evidence is missing, in words; empty when it is whole."""
    lease: Lease | None = None
    cost: Cost | None = None
    """None where it never came as far as having a place."""
    since_green: SinceGreen | None = None
    """None where it passed, or nothing was green before."""
    links: Mapping[str, str] = field(default_factory=dict)
    tail: tuple[LogLine, ...] = ()
    """For a broken run: the last lines of the service, build or job that it is about."""
