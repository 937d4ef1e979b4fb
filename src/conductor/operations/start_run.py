"""Ask for a run, start it, take it up again, stop it. The only operations that bring durable execution with them."""

from __future__ import annotations

import getpass
import secrets as randomness
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from conductor.compose.reader import Checkout
from conductor.domain.event import Event, Kind
from conductor.domain.names import ALPHABET, run_id, slug
from conductor.domain.run import Cleanup, Run, Source, Stage, Status
from conductor.domain.verdict import Outcome, Reason, Verdict
from conductor.durable import Handle, Workflow, executor, is_alive, retrieve, start, status_of
from conductor.durable import resume as take_over
from conductor.errors import ConductorError, ConflictError, NotFoundError, UnreachableError
from conductor.plan.blueprint import draw_up
from conductor.ports.store import RunRow
from conductor.ports.world import World
from conductor.reports.judge import broken
from conductor.steps.place import find_blueprint, secrets_at_hand
from conductor.steps.read_plan import trusted_plan
from conductor.workflows.integration_test import integration_test
from conductor.workflows.rerun import rerun
from conductor.workflows.teardown import teardown

_ID_LENGTH = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRequest:
    """What is asked for. `location` is a folder or a URL; `ref` None is the working tree; paths are absolute."""

    location: str
    ref: str | None = None
    environment: str = "qa"
    cleanup: Cleanup | None = None
    keep_for: timedelta | None = None
    env_files: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    publish: tuple[str, ...] = ()
    principal: str = ""


async def request(world: World, asked: RunRequest) -> Run:
    """Accept it: pin the commit, name the run, record it. Nothing runs yet. UnreachableError where no engine answers.

    Where none does and the repository's files are wrong, that is said: it is the first to be mended (ConfigurationError).

    The same request again, where an earlier one was cut off, is that run: `start` goes on with it.
    """
    source = await world.forge.resolve(asked.location, asked.ref)
    try:
        await _reach_engine(world)
    except UnreachableError:
        await _refuse_what_is_wrong(world, asked, source)
        raise
    if (cut_off := await _find_cut_off(world, asked, source)) is not None:
        return cut_off
    repository = repository_name(source.location)
    run = Run(
        id=run_id(repository, "".join(randomness.choice(ALPHABET) for _ in range(_ID_LENGTH))),
        repository=repository,
        source=source,
        principal=asked.principal or getpass.getuser(),
        requested_at=world.clock.now(),
        environment=asked.environment,
        cleanup=asked.cleanup,
        keep_for=asked.keep_for,
        env_files=asked.env_files,
        variables=asked.variables,
        publish=asked.publish,
    )
    await world.store.save_run(run)
    data = {"repository": repository, "commit": source.commit, "ref": source.ref, "principal": run.principal}
    await world.store.append(
        Event(run=run.id, key="requested", at=run.requested_at, kind=Kind.RUN_REQUESTED, data=data)
    )
    return run


async def start_or_resume(world: World, run: Run) -> Handle[Outcome]:
    """Start the run, or go on with it where a process that is gone left it. ConflictError where another process is at it."""
    row = await world.store.find_run(run.id)
    if row is None or row.status is Status.QUEUED:
        return await start(workflow_for(run), run, id=run.workflow_id)
    return await _resume(world, row)


async def resume(world: World, name: str | None) -> tuple[Run, Handle[Outcome]]:
    """Go on with an interrupted run: the one that is named, or the latest. NotFoundError where there is none."""
    row = await world.store.find_run(name) if name else await _latest_interrupted(world)
    if row is None:
        missing = f"there is no run {name!r}" if name else "no run was interrupted"
        raise NotFoundError(missing, remedy="`conductor runs list` shows the runs.")
    if row.status is not Status.ENDED:
        await _reach_engine(world)
    if row.status is Status.QUEUED:
        return row.run, await start(workflow_for(row.run), row.run, id=row.run.workflow_id)
    return row.run, await _resume(world, row)


async def cancel(world: World, name: str, *, outcome: Outcome | None = None) -> Outcome:
    """Stop a run for good: grace for its tests, logs, report, and the stack by its rule."""
    row = await world.store.find_run(name)
    if row is None:
        raise NotFoundError(f"there is no run {name!r}", remedy="`conductor runs list` shows the runs.")
    if row.status is Status.ENDED and row.outcome:
        return row.outcome
    ended = outcome or Outcome(
        verdict=Verdict.CANCELLED,
        reason=Reason.CANCELLED,
        message="the run was cancelled",
        remedy="Start it again when you want its verdict.",
    )
    handle = await start(teardown, row.run, ended, id=row.run.teardown_id)
    return await handle.result()


def workflow_for(run: Run) -> Workflow[Run, [], Outcome]:
    """Return the story of a run: everything from the commit on, or what is left of it in a rerun."""
    return rerun if run.rerun and run.rerun.stage is not Stage.BUILD else integration_test


async def is_interrupted(row: RunRow) -> bool:
    """Tell whether a run that was at work has nobody at it any more."""
    return row.status is Status.RUNNING and not await is_alive(row.executor)


async def _resume(world: World, row: RunRow) -> Handle[Outcome]:
    run = row.run
    workflow, name = (
        (teardown, run.teardown_id)
        if await _is_being_stopped(run)
        else (workflow_for(run), run.first_attempt.workflow_id)
    )
    standing = await status_of(name)
    if row.status is Status.ENDED and (standing is None or standing.status is not Status.INTERRUPTED):
        raise ConflictError(f"run {run.id} has ended", remedy=f"`conductor runs show {run.id}` shows how.")
    # before anything goes on: a secret that is missing is said now, and nothing is lost
    await secrets_at_hand(run, await find_blueprint(run))
    await take_over(name)
    if standing and standing.status is Status.ENDED:
        return await _say_how_it_ended(world, run, await retrieve(name, workflow))
    now = world.clock.now()
    await world.store.set_status(run, Status.RUNNING, at=now, executor=executor())
    await world.store.append(
        Event(run=run.id, key=f"{run.attempt}/resumed/{now.isoformat()}", at=now, kind=Kind.RUN_RESUMED)
    )
    return await retrieve(name, workflow)


async def _say_how_it_ended(world: World, run: Run, ended: Handle[Outcome]) -> Handle[Outcome]:
    """End a run whose workflow is over and could not say so, as on a full disk."""
    row = await world.store.find_run(run.id)
    if row and row.status is Status.ENDED:
        return ended
    try:
        outcome = await ended.result()
    except ConductorError as error:
        report = await world.store.find_report(run.id, run.attempt)
        outcome = report.outcome if report else broken(error)
    name = f"{run.teardown_id}/{world.clock.now().isoformat()}"
    return await start(teardown, run, outcome, id=name)


async def _is_being_stopped(run: Run) -> bool:
    return await status_of(run.teardown_id) is not None


async def _reach_engine(world: World) -> None:
    """Raise what is in the way where nothing could run at all: said at once, before a run is on record."""
    await world.engine.namespaces()


async def _refuse_what_is_wrong(world: World, asked: RunRequest, source: Source) -> None:
    """Raise what is wrong with the repository's files, read as a run would read them."""
    with tempfile.TemporaryDirectory(prefix="conductor-") as folder:
        checkout = Path(folder) / "checkout"
        await world.forge.clone(source, checkout)
        draw_up(
            Checkout(checkout),
            name=slug(repository_name(source.location)),
            trusted=await trusted_plan(source),
            variables=dict(asked.variables),
            environment=asked.environment,
            engine=world.engine,
        )


async def _latest_interrupted(world: World) -> RunRow | None:
    rows = await world.store.list_runs(status=Status.RUNNING, limit=1000)
    for row in rows:
        if await is_interrupted(row):
            return row
    return None


async def _find_cut_off(world: World, asked: RunRequest, source: Source) -> Run | None:
    """Return the interrupted run that asked for exactly this. One that somebody was stopping is not gone on with."""
    rows = await world.store.list_runs(
        repository=repository_name(source.location), status=Status.RUNNING, limit=1000
    )
    for row in rows:
        alike = _what_was_asked(row.run) == (source, *_what_was_asked(asked)[1:])
        if alike and await is_interrupted(row) and not await _is_being_stopped(row.run):
            return row.run
    return None


def _what_was_asked(asked: Run | RunRequest) -> tuple[object, ...]:
    source = asked.source if isinstance(asked, Run) else None
    return (source, asked.environment, asked.cleanup, asked.keep_for, asked.variables, asked.publish)


def repository_name(location: str) -> str:
    """Name a repository: `owner/name` of a URL, the last part of a folder."""
    if "://" in location:
        parts = location.rstrip("/").removesuffix(".git").rsplit("/", 2)
        return "/".join(parts[-2:])
    return Path(location).absolute().name.removesuffix(".git")
