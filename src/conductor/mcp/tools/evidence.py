"""What runs left: the digest of a verdict, logs, and how tests went over time."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from conductor.domain.report import LogLine
from conductor.domain.run import Status
from conductor.errors import NotFoundError, UsageError
from conductor.mcp import visible
from conductor.mcp.answers.evidence import Digest, LogPart, Test, TestHistory, result_in_words
from conductor.mcp.arguments import Offset, Repository, RunName, When
from conductor.mcp.fitting import largest, line
from conductor.mcp.offering import Offer
from conductor.mcp.visit import Visit
from conductor.operations import history
from conductor.operations.history import Scope
from conductor.operations.retention import refuse_removed
from conductor.ports.store import RunRow
from conductor.reports.digest import to_digest

_MOST_LINES = 300
"""More than fit into an answer in any case."""
_DIGEST_BYTES = (500, 1000, 1500, 2000, 2500, 2800, 3100, 3400, 3700)
_MOST_FILES = 8

Attempt = Annotated[int | None, Field(ge=1, description="Which attempt; the latest where none is named.")]
Service = Annotated[
    str,
    Field(max_length=200, description="A service, `tests/<suite>` or `build/<image>`; empty: all of them."),
]
Tail = Annotated[int, Field(ge=0, le=100_000, description="Only the last lines; 0: from the beginning.")]
Grep = Annotated[str, Field(max_length=200, description="Only lines with this text, in any case of letters.")]


class By(StrEnum):
    """By what tests are chosen and ordered."""

    FAILING = "failing"
    FLAKY = "flaky"
    SLOWEST = "slowest"


async def run_digest(visit: Visit, run: RunName, attempt: Attempt = None) -> Digest:
    """Say what failed in a run that has ended, and what to do about it: verdict, failures with their messages, and what the services
    wrote around that moment.

    Use it first when `wait_for_run` answered another verdict than passed. Then `run_logs` with a service and a time of the digest, or
    the resource `conductor://runs/{run}/report` for all of it.
    """  # noqa: D205 -- a sentence that long is one
    row = await visible.find_run(visit, run, attempt)
    report = await visit.world.store.find_report(row.run.id, row.run.attempt)
    if report is None:
        raise NotFoundError(f"run {row.run.id} has no report yet (it is {row.status})", remedy=_wait(row))
    files = await visit.world.evidence.files(row.run.id, row.run.attempt)
    artifacts = [line(name, 60) for name in files if name.startswith("artifacts/")][:_MOST_FILES]

    def sized(step: int) -> Digest:
        return Digest(
            run=row.run.id,
            attempt=row.run.attempt,
            verdict=report.outcome.verdict.value,
            digest=to_digest(report, limit_bytes=_DIGEST_BYTES[step]),
            artifacts=artifacts,
            more=f"More: run_logs(run={row.run.id!r}, service=..., since=...), conductor://runs/{row.run.id}/report",
        )

    return largest(len(_DIGEST_BYTES) - 1, sized)


async def run_logs(
    visit: Visit,
    *,
    run: RunName,
    service: Service = "",
    since: When = None,
    until: When = None,
    grep: Grep = "",
    tail: Tail = 0,
    offset: Offset = 0,
    attempt: Attempt = None,
) -> LogPart:
    """Read what services, tests and builds of a run wrote, also while it is at work: by service, window of time, text, or the last lines.

    Use it to find the cause that the digest only shows an edge of. An answer holds some 30 lines: narrow the question by `service`,
    `since` and `until` (times of the digest), `grep`, or `tail`; `next` is the `offset` to go on with.
    """
    row = await visible.find_run(visit, run, attempt)
    await refuse_removed(visit.world, row.run)
    for moment in (since, until):
        if moment is not None and moment.tzinfo is None:
            raise UsageError("a time without its zone", remedy="End it with Z, or an offset such as +02:00.")
    evidence = visit.world.evidence
    services = list(await evidence.workloads(row.run.id, row.run.attempt))
    if service and service not in services:
        there = ", ".join(services[:30]) or "none yet"
        raise NotFoundError(f"run {row.run.id} has no log of {service!r}", remedy=f"There are: {there}.")
    lines = evidence.read_log(row.run.id, row.run.attempt, workload=service or None, since=since)
    found = await _window(_fitting(lines, until, grep.lower()), offset, tail)

    def part(number: int) -> LogPart:
        end = found.start + number
        return LogPart(
            run=row.run.id,
            attempt=row.run.attempt,
            lines=[_shown(one) for one in found.lines[:number]],
            offset=found.start,
            total=found.total,
            next=end if end < found.total else None,
            services=[line(name, 40) for name in services[:20]],
        )

    return largest(len(found.lines), part)


async def history_of_tests(
    visit: Visit,
    *,
    repository: Repository,
    test: Annotated[
        str,
        Field(max_length=1000, description="One test, as `name`, `class > name` or `suite: class > name`."),
    ] = "",
    by: By = By.FAILING,
    branch: Annotated[
        str, Field(max_length=300, description="Only this branch's runs; empty: every branch.")
    ] = "",
    runs: Annotated[int, Field(ge=1, le=500, description="How many runs are looked back upon.")] = 100,
    offset: Offset = 0,
) -> TestHistory:
    """Tell how tests went over the runs of a repository: those that fail now and since which run, the flaky, the slow, or one of them.

    Use it to judge a failure: red since a commit of yours, red before it, or flaky (then `rerun_failed` rather than a fix).
    """
    visible.the_repository(visit, repository)
    scope = Scope(repository=repository, branch=branch or None, runs=runs)
    if test:
        return await _one_test(visit, test, scope)
    listing = {
        By.FAILING: history.failing_tests,
        By.FLAKY: history.flaky_tests,
        By.SLOWEST: history.slowest_tests,
    }
    listed = await listing[by](visit.world, scope)
    rest = listed.records[offset:]

    def part(number: int) -> TestHistory:
        end = offset + number
        return TestHistory(
            repository=listed.repository,
            runs=listed.runs,
            tests=[Test.of(one, history.in_words(one.test)) for one in rest[:number]],
            results=[],
            total=len(listed.records),
            next=end if end < len(listed.records) else None,
        )

    return largest(min(len(rest), _MOST_LINES), part)


async def _one_test(visit: Visit, test: str, scope: Scope) -> TestHistory:
    row = await history.row_of(visit.world, test, scope)

    def part(number: int) -> TestHistory:
        return TestHistory(
            repository=row.repository,
            runs=len(row.sightings),
            tests=[Test.of(row.record, history.in_words(row.record.test))],
            results=[result_in_words(one) for one in row.sightings[:number]],
            total=1,
            next=None,
        )

    return largest(min(len(row.sightings), _MOST_LINES), part)


@dataclass(slots=True)
class _Window:
    """A part of the lines that fit a question, and how many fit it in all."""

    start: int = 0
    total: int = 0
    lines: Sequence[LogLine] = ()


async def _window(lines: AsyncIterator[LogLine], offset: int, tail: int) -> _Window:
    """Keep as many lines as may be shown: from `offset` on, or of the last `tail`."""
    kept: deque[LogLine] = deque(maxlen=tail or None)
    total = 0
    async for one in lines:
        total += 1
        if tail or (total > offset and len(kept) < _MOST_LINES):
            kept.append(one)
    if not tail:
        return _Window(start=offset, total=total, lines=tuple(kept))
    start = max(total - tail, offset)
    shown = tuple(kept)[start - (total - len(kept)) :]
    return _Window(start=start, total=total, lines=shown[:_MOST_LINES])


async def _fitting(
    lines: AsyncIterator[LogLine], until: datetime | None, text: str
) -> AsyncIterator[LogLine]:
    async for one in lines:
        if until is not None and one.at > until:
            continue
        if text in one.text.lower():
            yield one


def _shown(one: LogLine) -> str:
    return line(f"{one.at:%Y-%m-%dT%H:%M:%S}.{one.at.microsecond // 1000:03}Z {one.workload}: {one.text}")


def _wait(row: RunRow) -> str:
    if row.status is Status.ENDED:
        return "Its report was not written; `run_logs` has what it wrote."
    return f"wait_for_run(run={row.run.id!r}) waits for its end."


EVIDENCE = (
    Offer(work=run_digest, title="What failed in a run", reads=True),
    Offer(work=run_logs, title="Logs of a run", reads=True),
    Offer(work=history_of_tests, called="test_history", title="Tests over runs", reads=True),
)
