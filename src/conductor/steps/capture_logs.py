"""capture-logs: what every container wrote is on record, followed or not, and how each of them stood at the end."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from conductor.domain.blueprint import Blueprint
from conductor.domain.event import Kind
from conductor.domain.masking import Masker
from conductor.domain.report import Captured, LogLine, ServiceEnding
from conductor.domain.run import Run
from conductor.domain.states import States, WorkloadState, may_fail
from conductor.durable import step
from conductor.errors import ConductorError
from conductor.ports.world import the_world
from conductor.steps.follow_logs import lines_not_on_record
from conductor.steps.make_image import log_of
from conductor.steps.place import find_blueprint, place_of, secrets_at_hand

_BATCH = 1000


@step("capture-logs")
async def capture_logs(run: Run) -> Captured:
    """Bring the logs in. What cannot be had is said, and stops nothing."""
    partial: list[str] = []
    states: States = {}
    blueprint = await find_blueprint(run)
    try:
        states = _of_this_attempt(await the_world().engine.states(place_of(run)), blueprint)
        mask = await secrets_at_hand(run, blueprint if states else None)
        said = await asyncio.gather(*(_capture_or_say(run, workload, mask) for workload in states))
        partial += [text for text in said if text]
    except ConductorError as error:
        partial.append(f"logs may be missing: {error.message}")
    partial += await _left_elsewhere(run)
    jobs = {job.workload.name for job in blueprint.jobs} if blueprint else set()
    services = tuple(_ending(state, blueprint) for name, state in states.items() if name not in jobs)
    return Captured(services=services, partial=tuple(partial))


async def _left_elsewhere(run: Run) -> list[str]:
    """Say what a process on another machine put in a folder of its own: the containers' logs are read again, the rest is not here."""
    world = the_world()
    here = {*await world.evidence.files(run.id, run.attempt)}
    results = await world.store.results(run.id, run.attempt)
    gone = {one.suite: [name for name in one.artifacts if name not in here] for one in results}
    said = [
        f"{len(names)} files of {suite} are on the machine that died"
        for suite, names in gone.items()
        if names
    ]
    if not said and not await _was_resumed(run):
        return []
    logs = await world.evidence.workloads(run.id, run.attempt)
    built = [image for image in await world.store.images(run.id, run.attempt) if not image.cached]
    names = [image.name for image in built if log_of(image.name) not in logs]
    return [*said, *(f"the log of the build of {name} is on the machine that died" for name in names)]


async def _was_resumed(run: Run) -> bool:
    world, after = the_world(), 0
    while batch := await world.store.events(run.id, after=after):
        if any(one.kind is Kind.RUN_RESUMED and one.key.startswith(f"{run.attempt}/") for one in batch):
            return True
        after = batch[-1].seq
    return False


def _of_this_attempt(states: States, blueprint: Blueprint | None) -> States:
    """Leave the jobs of earlier attempts out: a rerun finds them in the stack that was kept."""
    if blueprint is None:
        return states
    own = {service.name for service in blueprint.stack.services} | {j.workload.name for j in blueprint.jobs}
    return {name: state for name, state in states.items() if name in own}


async def _capture_or_say(run: Run, workload: str, mask: Masker) -> str:
    """Bring one log in, beside the others; return what to say where it cannot be had."""
    try:
        await _capture(run, workload, mask)
    except ConductorError as error:
        return f"logs of {workload} may be missing: {error.message}"
    return ""


async def _capture(run: Run, workload: str, mask: Masker) -> None:
    batch: list[LogLine] = []
    async for line in lines_not_on_record(run, workload, follow=False):
        batch.append(replace(line, text=mask(line.text)))
        if len(batch) >= _BATCH:
            await the_world().evidence.append_log(run.id, run.attempt, batch)
            batch = []
    if batch:
        await the_world().evidence.append_log(run.id, run.attempt, batch)


def _ending(state: WorkloadState, blueprint: Blueprint | None) -> ServiceEnding:
    return ServiceEnding(
        name=state.name,
        phase=state.phase,
        health=state.health,
        exit_code=state.exit_code,
        reason=state.reason or "",
        message=state.message,
        restarts=state.restarts,
        may_fail=blueprint is not None and may_fail(state.name, blueprint.stack),
    )
