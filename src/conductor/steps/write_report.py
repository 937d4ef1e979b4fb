"""write-report: everything that a reader of the verdict wants to see, put together once and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from conductor.domain.blueprint import Blueprint
from conductor.domain.event import Event, Kind
from conductor.domain.lease import Lease
from conductor.domain.report import Captured, LogLine, Report, ServiceEnding
from conductor.domain.results import SuiteResult
from conductor.domain.run import Run
from conductor.domain.verdict import Outcome, Verdict
from conductor.durable import step
from conductor.errors import ConductorError
from conductor.ports.dashboards import Board, Of
from conductor.ports.world import the_world
from conductor.reports.around import failures
from conductor.reports.as_json import to_json
from conductor.reports.digest import to_digest
from conductor.reports.markdown import to_markdown
from conductor.steps.costs import cost_of
from conductor.steps.make_image import log_of
from conductor.steps.place import find_blueprint, place_of
from conductor.steps.since_green import since_green

_TAIL_LINES = 30
_MOST_LINES = 200_000
_MARGIN = timedelta(minutes=1)


@step("write-report")
async def write_report(run: Run, outcome: Outcome, captured: Captured, lease: Lease | None) -> None:
    """Write it as data, JSON, Markdown and digest, beside the logs."""
    world = the_world()
    key = (run.id, run.attempt)
    row = await world.store.find_run(run.id, attempt=run.attempt)
    blueprint = await find_blueprint(run)
    suites = tuple(await world.store.results(*key))
    events = await _all_events(run)
    now = world.clock.now()
    report = Report(
        run=run,
        outcome=outcome,
        started_at=(row.started_at if row else None) or run.requested_at,
        ended_at=now,
        steps=tuple(await world.store.steps(*key)),
        images=tuple(await world.store.images(*key)),
        services=tuple(_with_ready_time(service, events) for service in captured.services),
        suites=suites,
        failures=failures(suites, await _lines(run, suites), jobs=_jobs(blueprint)),
        notes=tuple(str(event.data["text"]) for event in events if event.kind is Kind.NOTE),
        partial=(*captured.partial, *_partial(suites)),
        lease=lease,
        cost=await cost_of(run, suites, until=now),
        since_green=await since_green(run, outcome),
        links=_links(run, lease) | await _published(run, lease),
        tail=await _tail(run, outcome, blueprint),
    )
    await world.store.save_report(report)
    for name, text in (
        ("report.json", to_json(report)),
        ("report.md", to_markdown(report)),
        ("digest.md", to_digest(report)),
    ):
        await world.evidence.save(*key, name, text.encode())


async def _all_events(run: Run) -> Sequence[Event]:
    found: list[Event] = []
    while batch := await the_world().store.events(run.id, after=found[-1].seq if found else 0):
        found += batch
    return [event for event in found if event.key.startswith((f"{run.attempt}/", f"step/{run.attempt}/"))]


def _with_ready_time(service: ServiceEnding, events: Sequence[Event]) -> ServiceEnding:
    """Work out how long a service took from the first sight of it to being ready."""
    seen = [event for event in events if event.kind is Kind.SERVICE_CHANGED and event.subject == service.name]
    ready = next(
        (
            e.at
            for e in seen
            if e.data.get("phase") != "pending" and e.data.get("health") in ("none", "healthy")
        ),
        None,
    )
    if ready is None:
        return service
    return replace(service, ready_after_seconds=(ready - seen[0].at).total_seconds())


async def _lines(run: Run, suites: Sequence[SuiteResult]) -> Sequence[LogLine]:
    """Return what was written while the tests ran: only then can a line tell of a failure."""
    world = the_world()
    if not any(suite.counts.failed or suite.counts.errors for suite in suites):
        return []
    steps = [one for one in await world.store.steps(run.id, run.attempt) if one.name == "start-tests"]
    since: datetime | None = min((one.started_at for one in steps), default=None)
    since = since - _MARGIN if since else None
    lines: list[LogLine] = []
    async for line in world.evidence.read_log(run.id, run.attempt, since=since):
        lines.append(line)
        if len(lines) >= _MOST_LINES:
            break
    return lines


def _jobs(blueprint: Blueprint | None) -> Mapping[str, str]:
    return {job.suite: job.workload.name for job in blueprint.jobs} if blueprint else {}


def _partial(suites: Sequence[SuiteResult]) -> Sequence[str]:
    return [
        f"{suite.suite}: {problem.file + ': ' if problem.file else ''}{problem.why}"
        for suite in suites
        for problem in suite.problems
    ]


async def _published(run: Run, lease: Lease | None) -> dict[str, str]:
    """Return where the ports that were asked for can be reached, as long as the stack stands."""
    found: dict[str, str] = {}
    for wish in run.publish if lease else ():
        service, _, port = wish.partition("=")[0].rpartition(":")
        with suppress(ConductorError):
            address = await the_world().engine.url_of(place_of(run), service, int(port))
            found[f"{service}:{port}"] = address
    return found


def _links(run: Run, lease: Lease | None) -> dict[str, str]:
    links = {"logs": f"conductor runs logs {run.id}", "report": f"conductor runs report {run.id}"}
    if lease is not None:
        links["stack"] = f"conductor stacks list {run.id}"
    if dashboards := the_world().dashboards:
        board = Board(Of.RUN, run.id)
        links["dashboard"] = dashboards.link(board)
        links |= {"search logs": where} if (where := dashboards.logs(board)) else {}
    return links


async def _tail(run: Run, outcome: Outcome, blueprint: Blueprint | None) -> tuple[LogLine, ...]:
    """Return the last lines of what a broken run is about: a service, a build, a job."""
    if outcome.verdict is not Verdict.BROKEN or not outcome.subject or blueprint is None:
        return ()
    image = next((image for image in blueprint.images if image.name == outcome.subject), None)
    candidates = [
        outcome.subject,
        *_jobs(blueprint).get(outcome.subject, "").split(),
        *([log_of(image.name)] if image else []),
    ]
    there = await the_world().evidence.workloads(run.id, run.attempt)
    for workload in candidates:
        if workload in there:
            lines = the_world().evidence.read_log(run.id, run.attempt, workload=workload, tail=_TAIL_LINES)
            return tuple([line async for line in lines])
    return ()
