"""Read runs: lists, one run whole, its events and logs as they come, its report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from conductor.domain.event import Event, Kind, StepRecord
from conductor.domain.report import BuiltImage, LogLine, Report
from conductor.domain.results import SuiteResult
from conductor.domain.run import Run, Status
from conductor.domain.verdict import Verdict
from conductor.errors import NotFoundError
from conductor.operations.retention import refuse_removed
from conductor.ports.store import RunRow
from conductor.ports.world import World

_RESOLUTION = timedelta(microseconds=1)
_POLL_SECONDS = 0.1
"""How often the log of events is asked: it is written by whatever process has the run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunView:
    """One run, whole."""

    row: RunRow
    steps: Sequence[StepRecord]
    results: Sequence[SuiteResult]
    images: Sequence[BuiltImage]
    report: Report | None


async def list_runs(
    world: World,
    *,
    repository: str | None = None,
    status: Status | None = None,
    verdict: Verdict | None = None,
    limit: int = 50,
) -> Sequence[RunRow]:
    """Return runs, latest first."""
    return await world.store.list_runs(repository=repository, status=status, verdict=verdict, limit=limit)


async def find(world: World, name: str | None) -> RunRow:
    """Return the run of that id or beginning of it; the latest where none is named. NotFoundError where there is none."""
    if name:
        row = await world.store.find_run(name)
    else:
        row = next(iter(await world.store.list_runs(limit=1)), None)
    if row is None:
        missing = f"there is no run {name!r}" if name else "there are no runs yet"
        remedy = "`conductor runs list` shows the runs." if name else "`conductor run .` starts one."
        raise NotFoundError(missing, remedy=remedy)
    return row


async def show(world: World, name: str | None = None) -> RunView:
    """Return one run with all that is recorded of its latest attempt."""
    row = await find(world, name)
    key = (row.run.id, row.run.attempt)
    return RunView(
        row=row,
        steps=await world.store.steps(*key),
        results=await world.store.results(*key),
        images=await world.store.images(*key),
        report=await world.store.find_report(*key),
    )


async def events(world: World, name: str | None, *, after: int = 0) -> Sequence[Event]:
    """Return the events of a run with seq > `after`."""
    row = await find(world, name)
    return await world.store.events(row.run.id, after=after)


async def follow_events(world: World, name: str, *, after: int = 0) -> AsyncIterator[Event]:
    """Yield the events of a run from `after` on, as they come, until the run has ended for good."""
    row = await find(world, name)
    ended = False
    while True:
        batch = await world.store.events(row.run.id, after=after)
        for event in batch:
            after = event.seq
            yield event
            if ends_for_good(event, row.run.attempt):
                return
        if not batch:
            if ended:
                return
            await asyncio.sleep(_POLL_SECONDS)
            ended = (await find(world, row.run.id)).status is Status.ENDED


def ends_for_good(event: Event, attempt: int) -> bool:
    """Tell whether a run has ended with this event, as far as its attempt `attempt` or a later one is concerned."""
    is_end = event.kind is Kind.RUN_ENDED and not event.data.get("again")
    return is_end and int(str(event.data.get("attempt", attempt))) >= attempt


async def logs(
    world: World,
    name: str | None,
    *,
    workload: str | None = None,
    follow: bool = False,
    tail: int | None = None,
) -> AsyncIterator[LogLine]:
    """Yield what containers and builds wrote, from Conductor's own record; with `follow` until the run has ended, in its last attempt."""
    row = await find(world, name)
    run = row.run
    await refuse_removed(world, run)
    known = await world.evidence.workloads(run.id, run.attempt)
    if workload and workload not in known and not follow:
        there = ", ".join(known) or "none yet"
        raise NotFoundError(f"run {run.id} has no log of {workload!r} (there are: {there})")
    places: dict[str, _PlaceInLog] = {}
    while True:
        latest = await find(world, run.id)  # before reading: what it wrote before its end is read after it
        names = [workload] if workload else await world.evidence.workloads(run.id, run.attempt)
        if not follow:
            async for line in world.evidence.read_log(run.id, run.attempt, workload=workload, tail=tail):
                yield line
            return
        fresh = [
            line
            for name in names
            async for line in _new_lines(world, run, name, places.setdefault(name, _PlaceInLog()))
        ]
        fresh.sort(key=lambda line: line.at)
        for line in fresh if tail is None else fresh[-tail:]:
            yield line
        tail = None
        if latest.run.attempt > run.attempt:
            run, places = latest.run, {}
        elif latest.status is Status.ENDED:
            return
        else:
            await asyncio.sleep(_POLL_SECONDS)


@dataclass(slots=True)
class _PlaceInLog:
    """How far a log was told: the time of the last line, and how many of that very time were."""

    last: datetime | None = None
    told: int = 0


async def _new_lines(world: World, run: Run, workload: str, place: _PlaceInLog) -> AsyncIterator[LogLine]:
    """Yield what a log has beyond a place, and move the place. Each log has its own: they are written side by side."""
    since = place.last - _RESOLUTION if place.last else None
    skip = place.told
    async for line in world.evidence.read_log(run.id, run.attempt, workload=workload, since=since):
        if line.at == place.last and skip:
            skip -= 1
            continue
        place.told = place.told + 1 if line.at == place.last else 1
        place.last = line.at
        yield line


async def report(world: World, name: str | None) -> Report:
    """Return the report of a run. NotFoundError while there is none."""
    row = await find(world, name)
    found = await world.store.find_report(row.run.id, row.run.attempt)
    if found is None:
        raise NotFoundError(
            f"run {row.run.id} has no report yet (it is {row.status})",
            remedy=f"`conductor runs resume {row.run.id}` goes on with a run that was interrupted.",
        )
    return found
