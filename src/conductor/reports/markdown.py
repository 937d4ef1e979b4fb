"""A report as GitHub's Markdown: what a reader needs stands open, the rest is folded.

Law: at most `limit` characters (GitHub takes 65 536 in a comment); everything that comes from a repository is escaped. What does not fit is
left out from the end of the failures first, and said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from conductor.domain.report import BuiltImage, Failure, LogLine, Report
from conductor.domain.verdict import Verdict
from conductor.reports.digest import to_digest
from conductor.reports.escaping import block, cell, code, in_html, link, prose
from conductor.reports.presentable import presentable
from conductor.reports.readable import cut, cut_middle
from conductor.reports.stages import stages
from conductor.reports.terminal import kept
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

GITHUB_LIMIT = 65_000
SIGNS = {
    Verdict.PASSED: "✅",
    Verdict.FAILED: "❌",
    Verdict.BROKEN: "⚠️",
    Verdict.CANCELLED: "⏹️",
    Verdict.SUPERSEDED: "⏭️",
}


@dataclass(frozen=True, slots=True)
class _Level:
    """How much of it: failures, characters of each, rows of each table."""

    failures: int
    text: int
    rows: int


_LEVELS = (_Level(50, 6_000, 200), _Level(30, 1_500, 100), _Level(20, 500, 40), _Level(10, 200, 15))


def to_markdown(report: Report, *, limit: int = GITHUB_LIMIT) -> str:
    """Make Markdown of it, as rich as `limit` allows; where nothing of this form fits, the digest."""
    shown = presentable(report)
    for level in _LEVELS:
        if len(text := _document(shown, level)) <= limit:
            return text
    return to_digest(report, limit_bytes=limit)


def _document(report: Report, level: _Level) -> str:
    sections: tuple[Iterable[str], ...] = (
        _headline(report, level),
        _failures(report.failures, level),
        _tail(report.tail, level),
        _notes(report, level),
        _look(report),
        _folded("Tests", ("suite", "verdict", "tests", "time"), _suites(report), level),
        _folded("Stages", None, _chart(report, level), level),
        _folded("Images", ("image", "", "digest"), _images(report), level),
        _folded("Scans", ("image", "found"), _findings(report), level),
        _folded("Services", ("service", "state"), _services(report), level),
    )
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


def _headline(report: Report, level: _Level) -> Iterator[str]:
    run, outcome = report.run, report.outcome
    about = f": {prose(why(outcome))}" if outcome.verdict is not Verdict.PASSED and why(outcome) else ""
    counts = total(suite.counts for suite in report.suites)
    yield f"## {SIGNS[outcome.verdict]} Conductor: {outcome.verdict}{about}"
    yield ""
    if outcome.message:
        yield block(cut(outcome.message, level.text))
    if outcome.remedy:
        yield ""
        yield f"**What to do:** {prose(cut(outcome.remedy, level.text))}"
    if outcome.fault:
        yield ""
        yield f"**Who can mend it:** {whose(outcome.fault)}"
    yield ""
    parts = [code(cut(run.repository, 100))]
    parts += [f"at {code(run.source.commit[:12])}"] if run.source.commit else []
    parts += [f"on {code(cut(run.source.branch, 100))}"] if run.source.branch else []
    took = duration((report.ended_at - report.started_at).total_seconds())
    facts = [f"run {code(run.id)}", f"attempt {run.attempt}", in_words(counts), took]
    yield f"{' '.join(parts)} · {' · '.join(facts)}"


def _failures(failures: Sequence[Failure], level: _Level) -> Iterator[str]:
    if not failures:
        return
    yield f"### Failures ({len(failures)})"
    for failure in failures[: level.failures]:
        yield ""
        yield from _failure(failure, level)
    if len(failures) > level.failures:
        yield ""
        yield f"{plural(len(failures) - level.failures, 'failure')} left out here."


def _failure(failure: Failure, level: _Level) -> Iterator[str]:
    case = failure.case
    yield f"<details><summary>{in_html(cut(f'{failure.suite}: {full_name(case)}', 300))}</summary>"
    if place(case):
        yield ""
        yield code(cut(place(case), 300))
    for title, text in (
        ("", cut(case.message, level.text)),
        (
            "Details",
            cut_middle(case.details, level.text) if case.details.strip() != case.message.strip() else "",
        ),
        ("What it printed", cut_middle(case.output, level.text)),
        ("What the services wrote around that moment", _log(failure.around, level)),
    ):
        if text.strip():
            yield ""
            yield from (f"{title}:", "") if title else ()
            yield block(text)
    yield ""
    yield "</details>"


def _tail(tail: Sequence[LogLine], level: _Level) -> Iterator[str]:
    if tail:
        names = ", ".join(code(name) for name in list(dict.fromkeys(line.workload for line in tail))[:10])
        yield from (f"### Last lines of {names}", "", block(_log(tail[-50:], level)))


def _log(lines: Iterable[LogLine], level: _Level) -> str:
    texts = (
        f"{line.at:%H:%M:%S}.{line.at.microsecond // 1000:03} {line.workload}: {line.text}" for line in lines
    )
    return "\n".join(cut(text.replace("\n", " "), min(level.text, 400)) for text in texts)


def _notes(report: Report, level: _Level) -> Iterator[str]:
    missing = (f"missing from the evidence: {text}" for text in report.partial)
    flaky = (
        f"passed only when tried again: {full_name(case)}"
        for suite in report.suites
        for case in suite.cases
        if case.flaky
    )
    changed = [since_green_in_words(report.since_green)] if report.since_green else []
    texts = (*changed, *report.notes, *missing, *flaky)
    yield from _rows([f"- {prose(cut(text, 500))}" for text in texts], level)


def _look(report: Report) -> Iterator[str]:
    if report.lease:
        yield f"- The stack is {prose(kept(report.lease))}"
    if report.cost:
        yield f"- {prose(cost_in_words(report.cost))}"
    yield from (
        f"- {link(cut(name, 100), cut(target, 1000))}" for name, target in list(report.links.items())[:20]
    )


def _folded(
    title: str, header: Sequence[str] | None, rows: Sequence[Sequence[str]], level: _Level
) -> Iterator[str]:
    """Fold a table; one without a header is shown as it is."""
    if not rows:
        return
    yield from (f"<details><summary>{title}</summary>", "")
    lines = [f"| {' | '.join(row)} |" for row in rows] if header else [row[0] for row in rows]
    if header:
        yield from (f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}")
    yield from _rows(lines, level)
    yield from ("", "</details>")


def _rows(lines: Sequence[str], level: _Level) -> Iterator[str]:
    yield from lines[: level.rows]
    if len(lines) > level.rows:
        yield from ("", f"{len(lines) - level.rows} more left out here.")


def _suites(report: Report) -> list[Sequence[str]]:
    return [
        (cell(cut(s.suite, 100)), s.outcome.verdict, in_words(s.counts), duration(s.seconds))
        for s in report.suites
    ]


def _chart(report: Report, level: _Level) -> list[Sequence[str]]:
    drawn = stages(report)
    width = min(max((len(stage.name) for stage in drawn), default=0), 40)
    lines = [f"{cut(s.name, 40):{width}}  {s.took:>10}  {s.bar}" for s in drawn[: level.rows]]
    return [(block("\n".join(lines)),)] if lines else []


def _images(report: Report) -> list[Sequence[str]]:
    return [
        (cell(cut(i.name, 100)), _how_made(i), cell(cut(i.digest or i.reference, 100))) for i in report.images
    ]


def _how_made(image: BuiltImage) -> str:
    return ", ".join(filter(None, (how_made(image), how_attested(image))))


def _findings(report: Report) -> list[Sequence[str]]:
    scanned = [(image, image.scan) for image in report.images if image.scan]
    return [
        (cell(cut(image.name, 100)), cell(cut(text, 200)))
        for image, scan in scanned
        for text in (how_scanned(image), *map(finding_in_words, scan.worst))
        if text
    ]


def _services(report: Report) -> list[Sequence[str]]:
    return [(cell(cut(s.name, 100)), cell(cut(how_it_stood(s), 200))) for s in report.services]
