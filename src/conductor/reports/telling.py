"""How a run is told on its forge, while it is at work and when it has ended: title, stages, report, and failures at their places.

Law: everything is escaped and masked here; whoever tells it adds nothing of a repository's.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from conductor.domain.event import StepRecord
from conductor.domain.report import Failure, Report
from conductor.domain.run import Run, Status
from conductor.domain.telling import Annotation, Telling
from conductor.domain.verdict import Outcome
from conductor.ports.store import RunRow
from conductor.reports.escaping import cell, code, link, prose
from conductor.reports.markdown import SIGNS, to_markdown
from conductor.reports.presentable import presentable, safe
from conductor.reports.readable import cut, on_one_line
from conductor.reports.words import duration, full_name, in_words, total, why

LONGEST = 60_000
"""Characters of a body: forges take 65 536, and a mark is added."""
MOST_ANNOTATIONS = 100
_STAGES_SHOWN = 100
_STANDS = {
    Status.QUEUED: "waiting for its turn",
    Status.RUNNING: "at work",
    Status.INTERRUPTED: "interrupted: goes on with the next start of the server",
}


def telling(row: RunRow, steps: Sequence[StepRecord], report: Report | None, public_url: str) -> Telling:
    """Make what is told of an attempt. It says nothing that changes by itself, such as a time that passes."""
    ended = row.status is Status.ENDED
    shown = presentable(report) if report and ended else None
    links = {**_page(row.run, public_url), **(shown.links if shown else {})}
    title = cut(_title(row, steps, shown), 200)
    summary = "\n".join(_summary(row, steps, shown, links, title))
    return Telling(
        run=row.run,
        state=row.status,
        verdict=row.outcome.verdict if ended and row.outcome else None,
        title=title,
        summary=cut(summary, LONGEST),
        body=_body(row, report if ended else None, summary, links),
        annotations=tuple(_annotations(shown.failures)) if shown else (),
        links=links,
        has_failures=bool(shown and shown.failures),
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def _page(run: Run, public_url: str) -> Mapping[str, str]:
    address = f"{public_url.rstrip('/')}/runs/{quote(run.id, safe='')}"
    return {"run": address} if public_url else {}


def _title(row: RunRow, steps: Sequence[StepRecord], report: Report | None) -> str:
    if row.status is not Status.ENDED or row.outcome is None:
        now = next((step.name for step in reversed(steps) if step.ended_at is None), "")
        stands = _STANDS.get(row.status, row.status.value)
        return f"{stands}: {now.replace('_', ' ')}" if now and row.status is Status.RUNNING else stands
    reason = on_one_line(safe(why(row.outcome)))
    counts = in_words(total(suite.counts for suite in report.suites)) if report and report.suites else ""
    return ": ".join(part for part in (row.outcome.verdict.value, reason, counts) if part)


def _summary(
    row: RunRow, steps: Sequence[StepRecord], report: Report | None, links: Mapping[str, str], title: str
) -> Iterator[str]:
    run = row.run
    yield f"{prose(title)} · run {code(run.id)}, attempt {run.attempt}"
    if row.outcome and row.status is Status.ENDED:
        yield from _what_happened(row.outcome)
    drawn = report.steps if report and report.steps else steps
    if drawn:
        yield from ("", "| stage | time |", "| --- | --- |")
        yield from (_stage(step) for step in sorted(drawn, key=lambda step: step.started_at)[:_STAGES_SHOWN])
    if links:
        yield ""
        yield from _links(links)


def _what_happened(outcome: Outcome) -> Iterator[str]:
    if outcome.message:
        yield from ("", prose(cut(safe(outcome.message), 2000)))
    if outcome.remedy:
        yield from ("", f"**What to do:** {prose(cut(safe(outcome.remedy), 1000))}")


def _stage(step: StepRecord) -> str:
    took = duration(step.duration.total_seconds()) if step.duration is not None else "at work"
    wrong = f" · {cell(cut(on_one_line(safe(step.error)), 200))}" if step.error else ""
    return f"| {cell(cut(safe(f'{step.name} {step.subject}'.strip()), 100))} | {took}{wrong} |"


def _links(links: Mapping[str, str]) -> list[str]:
    return [f"- {link(cut(name, 100), cut(target, 1000))}" for name, target in list(links.items())[:20]]


def _body(row: RunRow, report: Report | None, summary: str, links: Mapping[str, str]) -> str:
    """Write the comment: the report once there is one, before that how it stands."""
    if report is not None:
        page = "\n".join(_links({"run": links["run"]})) if "run" in links else ""
        return to_markdown(report, limit=LONGEST - len(page) - 1) + (f"\n{page}" if page else "")
    sign = SIGNS[row.outcome.verdict] if row.outcome and row.status is Status.ENDED else "⏳"
    parts = [f"## {sign} Conductor", _about(row.run), summary]
    return cut("\n\n".join(parts), LONGEST)


def _about(run: Run) -> str:
    branch = f" on {code(cut(run.source.branch, 100))}" if run.source.branch else ""
    return f"{code(cut(run.repository, 100))} at {code((run.source.commit or '')[:12])}{branch}"


def _annotations(failures: Sequence[Failure]) -> Iterator[Annotation]:
    placed = ((path, one) for one in failures if (path := _within(one.case.file)))
    for path, failure in list(placed)[:MOST_ANNOTATIONS]:
        case = failure.case
        message = case.message.strip() or case.details.strip() or f"{case.status}"
        yield Annotation(
            path=path,
            line=max(case.line or 1, 1),
            title=cut(on_one_line(f"{failure.suite}: {full_name(case)}"), 200),
            message=cut(message, 4000),
        )


def _within(file: str) -> str:
    """Return a path as it is in the repository; empty where it leads out of it, or is an address within the container.

    >>> _within("./tests/test_cart.py"), _within("/usr/lib/x.py"), _within("../x")
    ('tests/test_cart.py', '', '')
    """
    path = posixpath.normpath(file.strip()) if file.strip() else ""
    return "" if not path or path == "." or path.startswith(("/", "..")) or "\n" in path else path
