"""The digest: what an agent needs to go on, in a few kilobytes of Markdown or JSON.

Laws. It never has more bytes than its limit, whatever the report is. Verdict, reason and remedy come first; then each failure with its
message and what the services wrote around that moment. Failures that say the same are told once, with their number; what is left out is
counted. Text is cut before it is escaped, never after.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conductor.domain.report import Failure, LogLine, Report
from conductor.reports.as_json import counts_data
from conductor.reports.escaping import block, code, prose
from conductor.reports.presentable import presentable
from conductor.reports.readable import cut, cut_middle, on_one_line
from conductor.reports.words import (
    duration,
    finding_in_words,
    full_name,
    how_attested,
    how_it_stood,
    how_scanned,
    in_words,
    place,
    plural,
    since_green_in_words,
    total,
    whose,
)

LIMIT_BYTES = 8192


@dataclass(frozen=True, slots=True)
class _Level:
    """How much of it. `names` is how many cases of a group are named; the numbers after it are characters."""

    groups: int
    names: int
    around: int
    tail: int
    notes: int
    line: int
    message: int
    details: int


_LEVELS = (
    _Level(groups=40, names=10, around=12, tail=40, notes=20, line=300, message=1_500, details=2_500),
    _Level(groups=25, names=8, around=10, tail=30, notes=12, line=240, message=800, details=1_000),
    _Level(groups=20, names=6, around=8, tail=25, notes=10, line=200, message=500, details=400),
    _Level(groups=15, names=4, around=5, tail=20, notes=8, line=160, message=300, details=0),
    _Level(groups=10, names=3, around=3, tail=12, notes=5, line=120, message=200, details=0),
    _Level(groups=5, names=2, around=2, tail=8, notes=3, line=100, message=150, details=0),
    _Level(groups=3, names=1, around=1, tail=3, notes=1, line=60, message=80, details=0),
    _Level(groups=0, names=0, around=0, tail=0, notes=0, line=60, message=80, details=0),
)

_VARIES = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Group:
    """Failures that say the same, but for numbers; the first one speaks for all."""

    failures: Sequence[Failure]

    @property
    def first(self) -> Failure:
        return self.failures[0]


def to_digest(report: Report, *, limit_bytes: int = LIMIT_BYTES) -> str:
    """Make Markdown of at most `limit_bytes` bytes of UTF-8."""
    shown = presentable(report)
    groups = _grouped(shown.failures)
    verdict = f"# {_verdict(shown)}\n"
    return _fitting(lambda level: _markdown(shown, groups, level), limit_bytes) or verdict[:limit_bytes]


def to_digest_json(report: Report, *, limit_bytes: int = LIMIT_BYTES) -> str:
    """Make a JSON object of at most `limit_bytes` bytes of UTF-8 (never less than its verdict: 40 bytes)."""
    shown = presentable(report)
    groups = _grouped(shown.failures)
    least = json.dumps({"version": 1, "verdict": shown.outcome.verdict.value})
    return (
        _fitting(lambda level: json.dumps(_data(shown, groups, level), ensure_ascii=False), limit_bytes)
        or least
    )


def _fitting(make: Callable[[_Level], str], limit_bytes: int) -> str:
    """Take the richest form that fits; empty where none does."""
    made = map(make, _LEVELS)
    return next((text for text in made if len(text.encode()) <= limit_bytes), "")


def _grouped(failures: Sequence[Failure]) -> tuple[_Group, ...]:
    """Put together what says the same; most frequent first where there are many, else in their order."""
    by_message: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        first_line = failure.case.message.strip().partition("\n")[0][:300]
        alike = (failure.suite, _VARIES.sub("0", first_line) or full_name(failure.case))
        by_message.setdefault(alike, []).append(failure)
    groups = [_Group(tuple(group)) for group in by_message.values()]
    many = len(groups) > _LEVELS[2].groups
    return tuple(sorted(groups, key=lambda group: -len(group.failures)) if many else groups)


def _notes(report: Report) -> tuple[str, ...]:
    changed = (since_green_in_words(report.since_green),) if report.since_green else ()
    return (*changed, *report.notes)


def _verdict(report: Report) -> str:
    return f"{report.outcome.verdict}" + (f" ({report.outcome.reason})" if report.outcome.reason else "")


def _markdown(report: Report, groups: Sequence[_Group], level: _Level) -> str:
    sections = (
        _headline(report, level),
        _failures(report, groups, level),
        _tail(report.tail, level),
        _services(report, level),
        _list("Images with vulnerabilities", _vulnerable(report), level),
        _list("SBOM and signature", _attested(report), level),
        _list("Missing from the evidence", report.partial, level),
        _list("Notes", _notes(report), level),
        _look(report.links, level),
    )
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


def _headline(report: Report, level: _Level) -> Iterator[str]:
    run, outcome = report.run, report.outcome
    subject = f": {code(cut(outcome.subject, level.line))}" if outcome.subject and outcome.reason else ""
    yield f"# {_verdict(report)}{subject}"
    if outcome.message:
        yield from ("", block(cut(outcome.message, level.message)))
    yield ""
    if outcome.remedy:
        yield f"- What to do: {prose(cut(outcome.remedy, level.message))}"
    if outcome.fault:
        yield f"- Who can mend it: {whose(outcome.fault)}"
    at = f" at {code(run.source.commit[:12])}" if run.source.commit else ""
    yield f"- Run: {code(cut(run.id, 60))}, {code(cut(run.repository, level.line))}{at}, attempt {run.attempt}"
    counts = total(suite.counts for suite in report.suites)
    yield f"- Tests: {in_words(counts)}; {duration((report.ended_at - report.started_at).total_seconds())} in all"


def _failures(report: Report, groups: Sequence[_Group], level: _Level) -> Iterator[str]:
    if not groups:
        return
    yield f"## Failures ({len(report.failures)})"
    for group in groups[: level.groups]:
        yield ""
        yield from _group(group, level)
    if left_out := _left_out(groups, level):
        yield ""
        yield f"Left out: {plural(left_out, 'failure')} more."


def _left_out(groups: Sequence[_Group], level: _Level) -> int:
    return sum(len(group.failures) for group in groups[level.groups :])


def _group(group: _Group, level: _Level) -> Iterator[str]:
    case = group.first.case
    times = f"{len(group.failures)} times, such as " if len(group.failures) > 1 else ""
    where = f" ({code(cut(place(case), level.line))})" if place(case) else ""
    yield f"### {times}{code(cut(full_name(case), level.line))}{where}"
    yield block(_said(group.first, level))
    if others := _others(group, level):
        unnamed = len(group.failures) - 1 - len(others)
        yield f"Also: {', '.join(map(code, others))}" + (f" and {unnamed} more" if unnamed else "")
    if around := _log(group.first.around, level.around, level):
        yield from ("The services around that moment:", block("\n".join(around)))


def _said(failure: Failure, level: _Level) -> str:
    message = cut(failure.case.message, level.message)
    details = cut_middle(failure.case.details, level.details)
    new = details.strip() and details.strip() != message.strip()
    return "\n".join(filter(None, (message, details if new else ""))) or "(no message)"


def _others(group: _Group, level: _Level) -> list[str]:
    return [cut(full_name(failure.case), level.line) for failure in group.failures[1 : 1 + level.names]]


def _log(lines: Sequence[LogLine], number: int, level: _Level) -> list[str]:
    """Write the first lines in one line each; times without the day."""
    return [
        cut(
            on_one_line(f"{line.at:%H:%M:%S}.{line.at.microsecond // 1000:03} {line.workload}: {line.text}"),
            level.line,
        )
        for line in lines[:number]
    ]


def _tail(tail: Sequence[LogLine], level: _Level) -> Iterator[str]:
    last = tail[len(tail) - min(len(tail), level.tail) :]
    if last:
        yield from ("## Last lines", "", block("\n".join(_log(last, len(last), level))))


def _services(report: Report, level: _Level) -> Iterator[str]:
    """Name services that did not stand well: the others are of no interest here."""
    bad = [s for s in report.services if s.reason or s.restarts or s.health == "unhealthy" or s.exit_code]
    lines = (f"{s.name}: {how_it_stood(s)}" for s in bad)
    yield from _list("Services that did not stand well", tuple(lines), level)


def _vulnerable(report: Report) -> tuple[str, ...]:
    """Name images in which something was found, each with the worst of it."""
    found = [(image, image.scan) for image in report.images if image.scan and image.scan.worst]
    return tuple(f"{i.name}: {how_scanned(i)}; {finding_in_words(scan.worst[0])}" for i, scan in found)


def _attested(report: Report) -> tuple[str, ...]:
    """Name images beside which something was to be left, each with what there is."""
    return tuple(f"{i.name}: {said}" for i in report.images if (said := how_attested(i)))


def _list(title: str, items: Sequence[str], level: _Level) -> Iterator[str]:
    if not items or not level.notes:
        return
    yield f"## {title}"
    yield from (f"- {code(cut(item, level.line))}" for item in items[: level.notes])
    if len(items) > level.notes:
        yield f"- {len(items) - level.notes} more left out"


def _look(links: Mapping[str, str], level: _Level) -> Iterator[str]:
    """Show addresses and commands whole or not at all: half of one is of no use."""
    whole = [(name, target) for name, target in links.items() if len(target) <= level.line]
    if whole and level.notes:
        yield "## To look at"
        yield from (f"- {prose(cut(name, 40))}: {code(target)}" for name, target in whole[: level.notes])


def _data(report: Report, groups: Sequence[_Group], level: _Level) -> dict[str, Any]:
    run, outcome = report.run, report.outcome
    links = [(cut(name, 40), target) for name, target in report.links.items() if len(target) <= level.line]
    return {
        "version": 1,
        "verdict": outcome.verdict.value,
        "reason": outcome.reason.value if outcome.reason else None,
        "fault": outcome.fault.value if outcome.fault else None,
        "subject": cut(outcome.subject, level.line),
        "message": cut(outcome.message, level.message),
        "remedy": cut(outcome.remedy, level.message),
        "run": cut(run.id, 60),
        "attempt": run.attempt,
        "repository": cut(run.repository, level.line),
        "commit": cut(run.source.commit or "", 40) or None,
        "counts": counts_data(total(suite.counts for suite in report.suites)),
        "failures": [_group_data(group, level) for group in groups[: level.groups]],
        "failures_left_out": _left_out(groups, level),
        "vulnerable": [cut(text, level.line) for text in _vulnerable(report)[: level.notes]],
        "attested": [cut(text, level.line) for text in _attested(report)[: level.notes]],
        "tail": _log(report.tail[len(report.tail) - min(len(report.tail), level.tail) :], level.tail, level),
        "partial": [cut(text, level.line) for text in report.partial[: level.notes]],
        "notes": [cut(text, level.line) for text in _notes(report)[: level.notes]],
        "links": dict(links[: level.notes]),
    }


def _group_data(group: _Group, level: _Level) -> dict[str, Any]:
    case = group.first.case
    return {
        "suite": cut(group.first.suite, level.line),
        "test": cut(full_name(case), level.line),
        "place": cut(place(case), level.line),
        "text": _said(group.first, level),
        "times": len(group.failures),
        "also": _others(group, level),
        "around": _log(group.first.around, level.around, level),
    }
