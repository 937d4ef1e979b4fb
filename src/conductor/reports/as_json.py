"""A report as JSON for programs.

Law: the keys of version 1 stay, with their meaning; keys may be added. Times are ISO 8601 in UTC, durations seconds, sizes bytes.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from conductor.domain.attestation import Attestation
from conductor.domain.cost import Cost
from conductor.domain.event import StepRecord
from conductor.domain.history import SinceGreen
from conductor.domain.lease import Lease
from conductor.domain.report import BuiltImage, Failure, LogLine, Report, ServiceEnding
from conductor.domain.results import Case, Counts, SuiteResult
from conductor.domain.run import Run
from conductor.domain.scan import Scan
from conductor.domain.verdict import Outcome
from conductor.reports.presentable import presentable
from conductor.reports.words import total

VERSION = 1

Json = dict[str, Any]


def to_json(report: Report, *, indent: int | None = 2) -> str:
    """Make JSON text of it, ending with a line feed."""
    return json.dumps(as_data(report), indent=indent, ensure_ascii=False) + "\n"


def as_data(report: Report) -> Json:
    """Make plain data of it."""
    report = presentable(report, with_cases=True)
    return {
        "version": VERSION,
        "run": run_data(report.run),
        **outcome_data(report.outcome),
        "exit_code": report.outcome.exit_code,
        "started_at": _time(report.started_at),
        "ended_at": _time(report.ended_at),
        "seconds": (report.ended_at - report.started_at).total_seconds(),
        "counts": counts_data(total(suite.counts for suite in report.suites)),
        "suites": [_suite(suite) for suite in report.suites],
        "failures": [_failure(failure) for failure in report.failures],
        "stages": [_stage(step) for step in report.steps],
        "images": [_image(image) for image in report.images],
        "services": [_service(service) for service in report.services],
        "tail": [line_data(line) for line in report.tail],
        "notes": list(report.notes),
        "partial": list(report.partial),
        "lease": _lease(report.lease) if report.lease else None,
        "cost": cost_data(report.cost) if report.cost else None,
        "since_green": _since_green(report.since_green) if report.since_green else None,
        "links": dict(report.links),
    }


def outcome_data(outcome: Outcome) -> Json:
    """Give verdict, reason, fault, subject, message and remedy."""
    return {
        "verdict": outcome.verdict.value,
        "reason": outcome.reason.value if outcome.reason else None,
        "fault": outcome.fault.value if outcome.fault else None,
        "subject": outcome.subject,
        "message": outcome.message,
        "remedy": outcome.remedy,
    }


def run_data(run: Run) -> Json:
    """Say what was asked for."""
    return {
        "id": run.id,
        "attempt": run.attempt,
        "repository": run.repository,
        "location": run.source.location,
        "ref": run.source.ref,
        "commit": run.source.commit,
        "branch": run.source.branch,
        "dirty": run.source.dirty,
        "environment": run.environment,
        "principal": run.principal,
        "requested_at": _time(run.requested_at),
        "namespace": run.namespace,
    }


def counts_data(counts: Counts) -> Json:
    """Count by kind, and all together."""
    return {
        "passed": counts.passed,
        "failed": counts.failed,
        "errors": counts.errors,
        "skipped": counts.skipped,
        "quarantined": counts.quarantined,
        "total": counts.total,
    }


def line_data(line: LogLine) -> Json:
    """Give one line of a log."""
    return {"workload": line.workload, "at": _time(line.at), "stream": line.stream, "text": line.text}


def _suite(suite: SuiteResult) -> Json:
    return {
        "name": suite.suite,
        **outcome_data(suite.outcome),
        "exit_code": suite.exit_code,
        "seconds": suite.seconds,
        "counts": counts_data(suite.counts),
        "cases": [_case(case) for case in suite.cases],
        "problems": [{"file": problem.file, "why": problem.why} for problem in suite.problems],
        "artifacts": list(suite.artifacts),
        "partial": suite.partial,
    }


def _case(case: Case) -> Json:
    return {
        "name": case.name,
        "classname": case.classname,
        "file": case.file,
        "line": case.line,
        "status": case.status.value,
        "flaky": case.flaky,
        "quarantined": case.quarantined,
        "seconds": case.seconds,
        "message": case.message,
    }


def _failure(failure: Failure) -> Json:
    return {
        "suite": failure.suite,
        **_case(failure.case),
        "details": failure.case.details,
        "output": failure.case.output,
        "around": [line_data(line) for line in failure.around],
    }


def _stage(step: StepRecord) -> Json:
    return {
        "name": step.name,
        "subject": step.subject,
        "started_at": _time(step.started_at),
        "ended_at": _time(step.ended_at),
        "seconds": step.duration.total_seconds() if step.duration is not None else None,
        "error": step.error,
    }


def _image(image: BuiltImage) -> Json:
    return {
        "name": image.name,
        "reference": image.reference,
        "digest": image.digest,
        "cached": image.cached,
        "seconds": image.seconds,
        "published": image.published,
        "link": image.link,
        "scan": _scan(image.scan) if image.scan else None,
        "attestation": _attestation(image.attestation) if image.attestation else None,
    }


def _attestation(attestation: Attestation) -> Json:
    return {
        "state": attestation.state.value,
        "sbom": attestation.sbom,
        "components": attestation.components,
        "signature": attestation.signature,
        "message": attestation.message,
    }


def _scan(scan: Scan) -> Json:
    return {
        "state": scan.state.value,
        "scanner": scan.scanner,
        "message": scan.message,
        "counts": {severity.value: number for severity, number in scan.counts.items()},
        "worst": [
            {
                "id": one.id,
                "severity": one.severity.value,
                "package": one.package,
                "version": one.version,
                "fixed_in": one.fixed_in,
                "link": one.link,
                "title": one.title,
            }
            for one in scan.worst
        ],
    }


def _service(service: ServiceEnding) -> Json:
    return {
        "name": service.name,
        "phase": service.phase,
        "health": service.health,
        "exit_code": service.exit_code,
        "reason": service.reason,
        "message": service.message,
        "restarts": service.restarts,
        "ready_after_seconds": service.ready_after_seconds,
    }


def _lease(lease: Lease) -> Json:
    return {
        "namespace": lease.namespace,
        "status": lease.status.value,
        "created_at": _time(lease.created_at),
        "expires_at": _time(lease.expires_at),
    }


def cost_data(cost: Cost) -> Json:
    """Give amounts and price."""
    return {
        "cpu_hours": cost.cpu_hours,
        "gib_hours": cost.gib_hours,
        "seconds": cost.seconds,
        "price": cost.price,
        "currency": cost.currency,
    }


def _since_green(since: SinceGreen) -> Json:
    return {
        "run": since.run,
        "commit": since.commit,
        "branch": since.branch,
        "at": _time(since.at),
        "commits": since.commits,
        "newly_failing": [
            {"suite": test.suite, "classname": test.classname, "name": test.name}
            for test in since.newly_failing
        ],
    }


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
