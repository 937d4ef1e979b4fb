"""How the facts of a report are said, the same in every form of it: durations, counts, endings, where things stand."""

from __future__ import annotations

import math
from collections.abc import Iterable

from conductor.domain.attestation import AttestationState
from conductor.domain.cost import Cost
from conductor.domain.history import SinceGreen
from conductor.domain.report import BuiltImage, ServiceEnding
from conductor.domain.results import Case, Counts
from conductor.domain.scan import Finding, ScanState, Severity
from conductor.domain.verdict import Fault, Outcome

MINUTE = 60
HOUR = 3600
DAY = 24 * HOUR
NEW_SHOWN = 5


def duration(seconds: float) -> str:
    """Say how long, in two figures at most; `?` where that is no number.

    >>> [duration(seconds) for seconds in (0.012, 1.53, 42.7, 125, 3 * 3600 + 240, 100_000)]
    ['0.0 s', '1.5 s', '43 s', '2 min 5 s', '3 h 4 min', '1 d 3 h']
    """
    if not math.isfinite(seconds):
        return "?"
    if seconds < 10:  # noqa: PLR2004
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    for unit, size, small, part in (
        ("d", DAY, "h", HOUR),
        ("h", HOUR, "min", MINUTE),
        ("min", MINUTE, "s", 1),
    ):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def plural(number: int, noun: str) -> str:
    """Count things.

    >>> plural(1, "test"), plural(2, "test")
    ('1 test', '2 tests')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def in_words(counts: Counts) -> str:
    """Say how many of what, worst first.

    >>> in_words(Counts(passed=41, failed=1, skipped=2)), in_words(Counts())
    ('1 failed, 41 passed, 2 skipped', 'no tests')
    """
    parts = (
        (counts.failed, "failed"),
        (counts.errors, "with errors"),
        (counts.passed, "passed"),
        (counts.skipped, "skipped"),
        (counts.quarantined, "failed in quarantine"),
    )
    return ", ".join(f"{number} {word}" for number, word in parts if number) or "no tests"


def total(counts: Iterable[Counts]) -> Counts:
    """Add them up."""
    every = tuple(counts)
    return Counts(
        passed=sum(one.passed for one in every),
        failed=sum(one.failed for one in every),
        errors=sum(one.errors for one in every),
        skipped=sum(one.skipped for one in every),
        quarantined=sum(one.quarantined for one in every),
    )


def why(outcome: Outcome) -> str:
    """Name reason and subject; empty for a passed run."""
    about = f" of {outcome.subject}" if outcome.subject and outcome.reason else ""
    return f"{outcome.reason}{about}" if outcome.reason else outcome.subject


def whose(fault: Fault | None) -> str:
    """Say who can mend it."""
    return {
        Fault.REPOSITORY: "the repository",
        Fault.PLATFORM: "the platform, not the repository",
        None: "",
    }[fault]


def cost_in_words(cost: Cost) -> str:
    """Say what it comes to: amounts, and the price where there is one.

    >>> cost_in_words(Cost(cpu_hours=0.52, gib_hours=1.2, price=0.031, currency="EUR"))
    '0.52 cpu h, 1.2 GiB h reserved (0.031 EUR)'
    """
    price = f" ({_amount(cost.price)} {cost.currency}".rstrip() + ")" if cost.price is not None else ""
    return f"{_amount(cost.cpu_hours)} cpu h, {_amount(cost.gib_hours)} GiB h reserved{price}"


def _amount(number: float) -> str:
    """Write it with two figures at least, and never as a power."""
    if number >= 10:  # noqa: PLR2004
        return f"{number:.0f}"
    return f"{number:.2g}" if number >= 0.001 else f"{number:.4f}".rstrip("0").rstrip(".")  # noqa: PLR2004


def since_green_in_words(since: SinceGreen) -> str:
    """Say what changed since the last green run.

    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 11, 23, 12, tzinfo=UTC)
    >>> since_green_in_words(SinceGreen(run="shop-1", branch="main", at=at, commits="aaaaaaaaaaaaaa..bbbbbbbbbbbbbb"))
    'last green on main: shop-1, 2026-11-23 12:00; since then aaaaaaaaaaaa..bbbbbbbbbbbb, no test that passed then fails now'
    """
    old, _, new = since.commits.partition("..")
    commits = f"{old[:12]}..{new[:12]}" if since.commits else "no other commit"
    named = [
        f"{test.classname} > {test.name}" if test.classname else test.name for test in since.newly_failing
    ]
    shown = f": {', '.join(named[:NEW_SHOWN])}{', …' if len(named) > NEW_SHOWN else ''}"
    fails = f"{len(named)} newly failing{shown}" if named else "no test that passed then fails now"
    return (
        f"last green on {since.branch}: {since.run}, {since.at:%Y-%m-%d %H:%M}; since then {commits}, {fails}"
    )


def full_name(case: Case) -> str:
    """Name a case with its class or suite."""
    return f"{case.classname} > {case.name}" if case.classname and case.classname != case.name else case.name


def place(case: Case) -> str:
    """Say where a case stands in the repository; empty where the report does not tell."""
    return f"{case.file}:{case.line}" if case.file and case.line else case.file


def how_made(image: BuiltImage) -> str:
    """Say whether an image was built, and how long that took."""
    return "unchanged, not built again" if image.cached else f"built in {duration(image.seconds)}"


def how_scanned(image: BuiltImage) -> str:
    """Say what a scanner found, the worst first; empty where nobody looked."""
    scan = image.scan
    if scan is None or scan.state is ScanState.NONE:
        return ""
    if scan.state is not ScanState.DONE:
        return f"scan {scan.state}: {scan.message}" if scan.message else f"scan {scan.state}"
    found = [f"{scan.counts[one]} {one.lower()}" for one in Severity if scan.counts.get(one)]
    return ", ".join(found) or "nothing found"


def how_attested(image: BuiltImage) -> str:
    """Say what is left beside an image; empty where nothing was wanted, or the run ended before."""
    made = image.attestation
    if made is None or made.state is AttestationState.PENDING:
        return ""
    if made.state is AttestationState.FAILED:
        return "no SBOM or signature"
    parts = [f"SBOM of {plural(made.components, 'component')}"] if made.sbom else []
    parts += ["signed"] if made.signature else []
    return ", ".join(parts)


def finding_in_words(finding: Finding) -> str:
    """Name a finding and what mends it.

    >>> finding_in_words(Finding(id="CVE-1", package="zlib", version="1.2", severity=Severity.HIGH, fixed_in="1.3"))
    'CVE-1 (high): zlib 1.2, mended in 1.3'
    """
    mend = f"mended in {finding.fixed_in}" if finding.fixed_in else "not mended yet"
    return f"{finding.id} ({finding.severity.lower()}): {finding.package} {finding.version}, {mend}"


def how_it_stood(service: ServiceEnding) -> str:
    """Say how a service stood when the tests were over."""
    parts = [service.health if service.health not in ("", "none") else service.phase]
    if service.exit_code is not None and service.phase == "ended":
        parts = [f"exited with {service.exit_code}"]
    if service.ready_after_seconds is not None:
        parts.append(f"ready after {duration(service.ready_after_seconds)}")
    if service.restarts:
        parts.append(plural(service.restarts, "restart"))
    return ", ".join([*parts, *filter(None, (service.reason, service.message))])
