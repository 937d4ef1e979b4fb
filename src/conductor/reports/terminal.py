"""A report for the terminal: verdict, why and what to do first, then failures, then where the time went and what there is to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from conductor.domain.lease import Lease
from conductor.domain.report import BuiltImage, Failure, LogLine, Report
from conductor.domain.verdict import Verdict
from conductor.reports.presentable import presentable
from conductor.reports.readable import cut, cut_middle, on_one_line
from conductor.reports.stages import stages
from conductor.reports.words import (
    cost_in_words,
    duration,
    finding_in_words,
    full_name,
    how_attested,
    how_it_stood,
    how_made,
    how_scanned,
    in_words,
    place,
    plural,
    since_green_in_words,
    total,
    whose,
    why,
)

FAILURES_SHOWN = 20
DETAILS_LENGTH = 2_000
LINE_LENGTH = 200
FINDINGS_SHOWN = 3


def to_text(report: Report) -> str:
    """Make plain text of it, without colours, ending with a line feed."""
    report = presentable(report)
    sections = (
        _headline(report),
        _failures(report.failures),
        _tail(report.tail),
        _table(
            "Stages", [(s.name, s.took, s.bar + (f"  {s.error}" if s.error else "")) for s in stages(report)]
        ),
        _table("Images", [_image(image) for image in report.images]),
        _list("Vulnerabilities", _findings(report)),
        _table("Services", [(s.name, how_it_stood(s)) for s in report.services]),
        _tests(report),
        _list("Changed", [since_green_in_words(report.since_green)] if report.since_green else []),
        _list("Notes", report.notes),
        _list("Missing from the evidence", report.partial),
        _stack(report),
    )
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


def _headline(report: Report) -> Iterator[str]:
    run, outcome = report.run, report.outcome
    about = f"  {why(outcome)}" if outcome.verdict is not Verdict.PASSED and why(outcome) else ""
    yield f"{outcome.verdict.upper()}{about}"
    yield from _indented(outcome.message.splitlines(), "  ")
    if outcome.remedy:
        yield f"  -> {on_one_line(outcome.remedy)}"
    if outcome.fault:
        yield f"  Who can mend it: {whose(outcome.fault)}"
    commit = f" at {run.source.commit[:12]}" if run.source.commit else ""
    branch = f" ({run.source.branch})" if run.source.branch else ""
    dirty = ", with changes that are not committed" if run.source.dirty else ""
    attempt = f", attempt {run.attempt}" if run.attempt > 1 else ""
    counts = total(suite.counts for suite in report.suites)
    tests = f", {in_words(counts)}" if counts.total else ""
    yield ""
    yield f"  {run.repository}{commit}{branch}{dirty}"
    yield f"  run {run.id}{attempt}{tests}, {_took(report)}"


def _image(image: BuiltImage) -> tuple[str, str, str]:
    said = (image.digest[:19] or image.reference, how_scanned(image), how_attested(image))
    return (
        image.name,
        how_made(image),
        "  ".join(filter(None, said)),
    )


def _findings(report: Report) -> list[str]:
    """Name the worst of each image."""
    scanned = [(image, image.scan) for image in report.images if image.scan]
    return [
        f"{image.name}: {finding_in_words(one)}"
        for image, scan in scanned
        for one in scan.worst[:FINDINGS_SHOWN]
    ]


def _took(report: Report) -> str:
    return duration((report.ended_at - report.started_at).total_seconds())


def _failures(failures: Sequence[Failure]) -> Iterator[str]:
    if not failures:
        return
    yield f"Failures ({len(failures)})"
    for number, failure in enumerate(failures[:FAILURES_SHOWN], 1):
        yield from _failure(number, failure)
    if len(failures) > FAILURES_SHOWN:
        yield f"  ... and {plural(len(failures) - FAILURES_SHOWN, 'failure')} more"


def _failure(number: int, failure: Failure) -> Iterator[str]:
    case = failure.case
    where = f"  [{place(case)}]" if place(case) else ""
    yield f"  {number}. {failure.suite}: {full_name(case)}{where}"
    yield from _indented(cut(case.message, DETAILS_LENGTH).splitlines(), "       ")
    details = cut_middle(case.details, DETAILS_LENGTH).strip("\n")
    if details and details.strip() != case.message.strip():
        yield from _indented(details.splitlines(), "     | ")
    if failure.around:
        yield "     around that moment:"
        yield from _indented(map(_log_line, failure.around), "       ")


def _tail(tail: Sequence[LogLine]) -> Iterator[str]:
    if tail:
        yield "Last lines of " + ", ".join(dict.fromkeys(line.workload for line in tail))
        yield from _indented(map(_log_line, tail), "  ")


def _log_line(line: LogLine) -> str:
    return f"{line.at:%H:%M:%S}.{line.at.microsecond // 1000:03} {line.workload}: {line.text}"


def _tests(report: Report) -> Iterator[str]:
    rows = [
        (suite.suite, suite.outcome.verdict, in_words(suite.counts), duration(suite.seconds))
        for suite in report.suites
    ]
    yield from _table("Tests", rows)
    for suite in report.suites:
        yield from (
            f"  passed only when tried again: {full_name(case)}" for case in suite.cases if case.flaky
        )


def _stack(report: Report) -> Iterator[str]:
    rows = [(name, link) for name, link in report.links.items()]
    if report.lease:
        rows.insert(0, ("lease", kept(report.lease)))
    if report.cost:
        rows.insert(0, ("cost", cost_in_words(report.cost)))
    yield from _table("To look at", rows)


def kept(lease: Lease) -> str:
    """Say how long a stack lives."""
    until = f"until {_moment(lease.expires_at)}" if lease.expires_at else "until it is released"
    return f"{lease.status} in {lease.namespace} {until}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} {at:%Z}".strip()


def _table(title: str, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Align columns; the last one is as long as it likes."""
    if not rows:
        return
    yield title
    flat = [
        [on_one_line(cell) if "█" not in cell and "▏" not in cell else cell for cell in row] for row in rows
    ]
    widths = [min(max(len(row[column]) for row in flat), 40) for column in range(len(flat[0]) - 1)]
    for row in flat:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield f"  {'  '.join([*cells, row[-1]])}".rstrip()


def _list(title: str, items: Iterable[str]) -> Iterator[str]:
    lines = [f"  - {on_one_line(item)}" for item in items]
    yield from ([title, *lines] if lines else [])


def _indented(lines: Iterable[str], indent: str) -> Iterator[str]:
    yield from (f"{indent}{cut(line.expandtabs(4), LINE_LENGTH)}".rstrip() for line in lines)
