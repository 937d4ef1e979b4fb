"""What Harbor says of a scan: real findings of Trivy, in the shape that the scanner specification gives them, and whatever else comes."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from conductor.adapters.registries.harbor_report import MIME_TYPES, WORST, by_type, read_overview, read_report
from conductor.domain.scan import ScanState, Severity

_FOLDER = os.environ.get("CONDUCTOR_CONTRACTS", "")
SPECS = Path(_FOLDER) / "specs"
contracts = pytest.mark.skipif(not _FOLDER, reason="CONDUCTOR_CONTRACTS is unset: no real reports of Trivy")
SCANNER = {"name": "Trivy", "vendor": "Aqua Security", "version": "v0.58.1"}


def goldens() -> list[Path]:
    return (
        sorted((SPECS / "trivy-goldens" / "integration" / "testdata").glob("*.json.golden"))
        if _FOLDER
        else []
    )


def of_trivy(golden: Path) -> dict[str, Any]:
    """Write a report as Harbor's Trivy adapter does."""
    return {"scanner": SCANNER, "severity": "High", "vulnerabilities": [_item(one) for one in _found(golden)]}


def _found(golden: Path) -> Iterator[Mapping[str, Any]]:
    report = json.loads(golden.read_text())
    for result in (report.get("Results") if isinstance(report, dict) else None) or ():
        yield from result.get("Vulnerabilities") or ()


def _item(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": one["VulnerabilityID"],
        "package": one.get("PkgName", ""),
        "version": one.get("InstalledVersion", ""),
        "fix_version": one.get("FixedVersion", ""),
        "severity": one["Severity"].capitalize(),
        "description": one.get("Description", ""),
        "links": [one["PrimaryURL"]] if one.get("PrimaryURL") else [],
    }


@cache
def schema() -> dict[str, Any]:
    description = yaml.safe_load((SPECS / "harbor-scanner" / "scanner-adapter-openapi-v1.1.yaml").read_text())
    return {"$ref": "#/components/schemas/HarborVulnerabilityReport", "components": description["components"]}


@contracts
@pytest.mark.parametrize("golden", goldens(), ids=lambda path: path.name.removesuffix(".json.golden"))
def test_a_real_report_is_read_whole(golden: Path):
    report = of_trivy(golden)
    jsonschema.validate(report, schema())
    scan = read_report(report)
    real = Counter(Severity(one["Severity"].capitalize()) for one in _found(golden))
    assert dict(scan.counts) == real
    assert scan.state is ScanState.DONE
    assert scan.scanner == "Trivy v0.58.1"
    assert len(scan.worst) == min(
        WORST, len({tuple(map(str, _item(one).values())) for one in _found(golden)})
    )
    ranks = [finding.severity.rank for finding in scan.worst]
    assert ranks == sorted(ranks)
    assert all(finding.id and finding.package for finding in scan.worst)


@contracts
def test_the_real_reports_have_findings_of_many_severities_and_fixes():
    scans = [read_report(of_trivy(golden)) for golden in goldens()]
    assert sum(sum(scan.counts.values()) for scan in scans) > 100
    assert {severity for scan in scans for severity in scan.counts} >= {
        Severity.CRITICAL,
        Severity.HIGH,
        Severity.LOW,
    }
    assert any(finding.fixed_in and finding.link for scan in scans for finding in scan.worst)


def test_the_worst_stand_first_and_what_can_be_mended_before_what_cannot():
    found = [
        ("C", "Low", "1"),
        ("B", "High", ""),
        ("D", "High", "2"),
        ("A", "Critical", ""),
        ("E", "Unknown", "3"),
    ]
    report = {"vulnerabilities": [_finding(*one) for one in found]}
    assert [one.id for one in read_report(report).worst] == ["A", "D", "B", "C", "E"]


def test_no_more_than_ten_are_told_and_all_are_counted():
    report = {"vulnerabilities": [_finding(f"CVE-{number}", "High", "") for number in range(25)]}
    scan = read_report(report)
    assert (len(scan.worst), scan.counts[Severity.HIGH]) == (WORST, 25)
    assert (scan.reaching(Severity.HIGH), scan.reaching(Severity.CRITICAL)) == (25, 0)


def test_what_nobody_has_judged_reaches_no_threshold():
    scan = read_report({"vulnerabilities": [_finding("A", "Unknown", ""), _finding("B", "Terrible", "")]})
    assert scan.counts == {Severity.UNKNOWN: 2}
    assert scan.reaching(Severity.LOW) == 0


def test_texts_of_a_report_are_one_line_without_what_steers_terminals_and_not_endless():
    hostile = {
        **_finding("CVE-1\n\x1b[31mred", "High", "1"),
        "description": "a\x1b]0;title\x07b\u202e\n" + "x" * 10_000,
        "links": ["javascript:alert(1)", "https://example.org/cve"],
        "package": None,
    }
    (finding,) = read_report({"vulnerabilities": [hostile]}).worst
    texts = f"{finding.id}{finding.title}{finding.package}"
    assert all(one.isprintable() for one in texts)
    assert len(finding.title) == 300
    assert (finding.link, finding.package) == ("https://example.org/cve", "")


@pytest.mark.parametrize("told", [{}, None, [], "", "report", {"text/plain": {}}, {MIME_TYPES[0]: None}])
def test_where_there_is_no_report_there_is_none(told: object):
    assert by_type(told) is None


@pytest.mark.parametrize("kind", [*MIME_TYPES, MIME_TYPES[0].replace("; ", ";")])
def test_a_report_is_found_under_the_types_that_are_known_however_they_are_spaced(kind: str):
    assert by_type({"other": {"a": 1}, kind: {"a": 2}}) == {"a": 2}


@pytest.mark.parametrize(
    "told", [{}, {"vulnerabilities": None}, {"vulnerabilities": "x"}, {"vulnerabilities": [None, 3, {}]}]
)
def test_a_report_with_holes_is_read_as_far_as_it_goes(told: dict[str, Any]):
    assert read_report(told).state is ScanState.DONE


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Pending", ScanState.PENDING),
        ("Scheduled", ScanState.PENDING),
        ("Running", ScanState.PENDING),
        ("Error", ScanState.FAILED),
        ("Stopped", ScanState.FAILED),
        ("Success", ScanState.DONE),
        ("", ScanState.PENDING),
    ],
)
def test_each_state_of_a_scan_has_its_word(status: str, state: ScanState):
    overview = {"scan_overview": {MIME_TYPES[0]: {"scan_status": status, "scanner": SCANNER}}}
    scan = read_overview(overview)
    assert scan is not None
    assert (scan.state, scan.scanner) == (state, "Trivy v0.58.1")


@pytest.mark.parametrize("artifact", [{}, {"scan_overview": None}, {"scan_overview": {}}])
def test_what_was_never_scanned_has_no_state(artifact: dict[str, Any]):
    assert read_overview(artifact) is None


def _finding(id_: str, severity: str, fixed_in: str) -> dict[str, Any]:
    return {"id": id_, "package": "zlib", "version": "1", "severity": severity, "fix_version": fixed_in}
