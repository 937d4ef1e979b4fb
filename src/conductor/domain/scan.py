"""What a scanner found in an image: counts by severity, and the worst findings with what mends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is, in the words of the scanners' report format; the first is the worst."""

    CRITICAL = "Critical"
    HIGH = "High"
    MEDIUM = "Medium"
    LOW = "Low"
    NEGLIGIBLE = "Negligible"
    UNKNOWN = "Unknown"

    @property
    def rank(self) -> int:
        """Nought is the worst. What nobody has judged reaches no threshold."""
        return list(Severity).index(self)

    def reaches(self, threshold: Severity) -> bool:
        """Tell whether it is at least as bad."""
        return self.rank <= threshold.rank


class ScanState(StrEnum):
    """How far a scan is."""

    PENDING = "pending"
    """Asked for, waiting or at work."""
    DONE = "done"
    FAILED = "failed"
    """The scanner gave up."""
    NONE = "none"
    """Nobody scans there: no scanner is set up, or the registry has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One vulnerability in one package. Texts come from the scanner's database and are untrusted."""

    id: str
    """`CVE-2026-1234`."""
    package: str
    version: str
    severity: Severity
    fixed_in: str = ""
    """The version that mends it; empty where there is none yet."""
    link: str = ""
    title: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """The result of one image."""

    state: ScanState
    counts: Mapping[Severity, int] = field(default_factory=dict)
    worst: tuple[Finding, ...] = ()
    """At most ten, the worst first, those that can be mended before those that cannot."""
    scanner: str = ""
    """`Trivy 0.58`, as the registry names it."""
    message: str = ""
    """Why there is no result."""

    def reaching(self, threshold: Severity) -> int:
        """Count the findings that are at least that bad."""
        return sum(number for severity, number in self.counts.items() if severity.reaches(threshold))
