"""What scanners find in the images of a run, and what becomes of the verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conductor.domain.event import Kind
from conductor.domain.scan import Finding, Scan, ScanState, Severity
from conductor.domain.verdict import Reason, Verdict
from conductor.errors import ConductorError, UnreachableError
from conductor.reports.digest import to_digest
from tests.scenarios.stage import Stage
from tests.scenarios.troubled import PublishingBuilder, ScanningRegistry

FINDING = Finding(id="CVE-2026-1", package="zlib", version="1.2", severity=Severity.HIGH, fixed_in="1.3")
CLEAN = Scan(state=ScanState.DONE)
HIGH = Scan(state=ScanState.DONE, counts={Severity.HIGH: 1, Severity.LOW: 7}, worst=(FINDING,))
NOBODY = Scan(state=ScanState.NONE)
GONE = UnreachableError("looking for a scan: the registry does not answer")


def stage(
    folder: Path, scan: Scan | ConductorError, *, looks: int = 0, gate: Severity | None = None
) -> Stage:
    registry = ScanningRegistry({"backend": scan, "tests/tests": CLEAN}, looks=looks)
    return Stage(folder, builder=PublishingBuilder, registry=registry, scan_gate=gate)


async def test_scans_are_awaited_and_are_in_the_report_the_digest_and_the_events(tmp_path: Path):
    async with stage(tmp_path, HIGH, looks=3).launched() as played:
        run, outcome = await played.run()
        events = await played.world.store.events(run.id)
    assert outcome.verdict is Verdict.PASSED
    images = {image.name: image for image in played.report(run, 1).images}
    assert (images["backend"].scan, images["tests/tests"].scan) == (HIGH, CLEAN)
    told = {event.subject: event.data for event in events if event.kind is Kind.IMAGE_SCANNED}
    assert told["backend"]["counts"] == {"High": 1, "Low": 7}
    digest = to_digest(played.report(run, 1))
    assert "backend: 1 high, 7 low; CVE-2026-1 (high): zlib 1.2, mended in 1.3" in digest


@pytest.mark.parametrize(
    ("scan", "gate", "verdict", "reason"),
    [
        (HIGH, None, Verdict.PASSED, None),
        (HIGH, Severity.CRITICAL, Verdict.PASSED, None),
        (HIGH, Severity.HIGH, Verdict.FAILED, Reason.VULNERABLE),
        (HIGH, Severity.LOW, Verdict.FAILED, Reason.VULNERABLE),
        (CLEAN, Severity.LOW, Verdict.PASSED, None),
        (GONE, None, Verdict.PASSED, None),
        (GONE, Severity.LOW, Verdict.BROKEN, Reason.SCAN_FAILED),
        (NOBODY, None, Verdict.PASSED, None),
        (NOBODY, Severity.CRITICAL, Verdict.BROKEN, Reason.SCAN_FAILED),
    ],
)
async def test_only_a_gate_lets_a_scan_decide(
    tmp_path: Path, scan: Any, gate: Severity | None, verdict: Verdict, reason: Reason | None
):
    async with stage(tmp_path, scan, gate=gate).launched() as played:
        run, outcome = await played.run()
    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    assert outcome.subject == ("backend" if reason else "tests")
    assert await played.world.store.find_run(run.id, attempt=2) is None


async def test_a_scan_that_never_ends_is_given_up_and_said(tmp_path: Path):
    async with stage(tmp_path, CLEAN, looks=10**6).launched() as played:
        run, outcome = await played.run()
    assert outcome.verdict is Verdict.PASSED
    for image in played.report(run, 1).images:
        assert image.scan == Scan(state=ScanState.FAILED, message="the scan did not end within 0:05:00")
