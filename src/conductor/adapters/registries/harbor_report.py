"""What Harbor says of a scan, read into our words. Pure.

The description of Harbor's API calls the report a string. A server returns an object keyed by MIME type, which is `{}` where there is
no report. The report itself is `HarborVulnerabilityReport` of the pluggable scanner specification; its texts come from the scanner's
database and from packages of the image: untrusted.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from conductor.domain.scan import Finding, Scan, ScanState, Severity

MIME_TYPES = (
    "application/vnd.security.vulnerability.report; version=1.1",
    "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0",
)
ACCEPTED = ", ".join(MIME_TYPES)
WORST = 10
_LONGEST_WORD = 120
_LONGEST_TITLE = 300
_ENDED_WITHOUT = {"error": "the scanner gave up", "stopped": "somebody stopped the scan"}
_SEVERITIES = {severity.value.lower(): severity for severity in Severity}


def by_type(told: Any) -> Mapping[str, Any] | None:
    """Choose from what is keyed by MIME type; None where there is nothing that we read."""
    if not isinstance(told, Mapping):
        return None
    found = {"".join(str(key).split()): value for key, value in told.items()}
    wanted = (found.get("".join(kind.split())) for kind in MIME_TYPES)
    return next((one for one in wanted if isinstance(one, Mapping)), None)


def read_overview(artifact: Mapping[str, Any]) -> Scan | None:
    """Read how far the scan of an artifact is; None where there was none."""
    told = by_type(artifact.get("scan_overview"))
    if told is None:
        return None
    status = str(told.get("scan_status", "")).lower()
    scanner = scanner_name(told.get("scanner"))
    if status in _ENDED_WITHOUT:
        return Scan(state=ScanState.FAILED, scanner=scanner, message=_ENDED_WITHOUT[status])
    if status != "success":
        return Scan(state=ScanState.PENDING, scanner=scanner, message=_word(status))
    summary = told.get("summary")
    counts = summary.get("summary") if isinstance(summary, Mapping) else None
    return Scan(state=ScanState.DONE, scanner=scanner, counts=_counts(counts))


def read_report(told: Mapping[str, Any], *, scanner: str = "") -> Scan:
    """Read a whole report: counts by severity, and the worst findings."""
    listed = told.get("vulnerabilities")
    findings = [_finding(one) for one in _sequence(listed) if isinstance(one, Mapping)]
    counts = Counter(finding.severity for finding in findings)
    return Scan(
        state=ScanState.DONE,
        counts={severity: counts[severity] for severity in Severity if counts[severity]},
        worst=worst(findings),
        scanner=scanner_name(told.get("scanner")) or scanner,
    )


def worst(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Choose the worst, those that can be mended before those that cannot; one that many packages bring stands once for each."""
    order = sorted(
        set(findings), key=lambda one: (one.severity.rank, not one.fixed_in, one.id, one.package, one.version)
    )
    return tuple(order[:WORST])


def scanner_name(told: Any) -> str:
    """Name a scanner: `Trivy v0.58.1`."""
    if not isinstance(told, Mapping):
        return ""
    return _word(" ".join(str(told.get(key) or "") for key in ("name", "version")))


def _finding(told: Mapping[str, Any]) -> Finding:
    links = [
        str(link) for link in _sequence(told.get("links")) if str(link).startswith(("https://", "http://"))
    ]
    return Finding(
        id=_word(told.get("id")),
        package=_word(told.get("package")),
        version=_word(told.get("version")),
        severity=severity(told.get("severity")),
        fixed_in=_word(told.get("fix_version")),
        link=_word(links[0]) if links else "",
        title=_line(told.get("description"), _LONGEST_TITLE),
    )


def severity(told: Any) -> Severity:
    """Read a severity; a word that is none is `UNKNOWN`."""
    return _SEVERITIES.get(str(told).strip().lower(), Severity.UNKNOWN)


def _counts(told: Any) -> Mapping[Severity, int]:
    if not isinstance(told, Mapping):
        return {}
    counts: Counter[Severity] = Counter()
    for word, number in told.items():
        counts[severity(word)] += number if isinstance(number, int) and number > 0 else 0
    return {one: counts[one] for one in Severity if counts[one]}


def _sequence(told: Any) -> Sequence[Any]:
    return told if isinstance(told, list) else ()


def _word(told: Any) -> str:
    return _line(told, _LONGEST_WORD)


def _line(told: Any, longest: int) -> str:
    """Make one line of a text, without what steers terminals."""
    text = "".join(one if unicodedata.category(one)[0] != "C" else " " for one in str(told or ""))
    return " ".join(text.split())[:longest]
