"""Workloads that are stopped, put to sleep and woken. Law: what Conductor ends is noted first, so that nobody reads it as a crash."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import aiodocker

from conductor.adapters.docker.access import Access
from conductor.adapters.docker.connection.client import reaching
from conductor.adapters.docker.containers.naming import LABEL_DEPENDS_ON
from conductor.adapters.docker.containers.run_hooks import run_post_start_again, run_pre_stop
from conductor.adapters.docker.marks import Failure, Note
from conductor.adapters.docker.watching.states import will_restart
from conductor.adapters.docker.watching.watcher import Container
from conductor.domain.verdict import Fault, Reason
from conductor.errors import ConflictError
from conductor.ports.engine import Place

RESTART_TIME = timedelta(seconds=5)
"""So long is waited for a container that its engine starts again."""
NOT_RUNNING_ANY_MORE = (304, 404)


async def stop(access: Access, place: Place, workload: str, *, grace: timedelta) -> None:
    """End a workload, and remember that it was us."""
    note = access.marks.note(place.namespace, workload)
    alive = [c for c in await access.containers(place, workload) if _is_alive(c, note)]
    if alive:
        access.marks.write_note(place.namespace, replace(note, stopped=True))
        await asyncio.gather(*(_stop(access, c, math.ceil(grace.total_seconds())) for c in alive))


async def put_to_sleep(access: Access, place: Place) -> None:
    """Stop all that runs, each after what depends on it, as Compose does, and remember that it sleeps.

    Raises ConflictError where a command before the stop failed: as with Compose, its service goes on running, and so does what it needs.
    """
    workloads = await access.sight.containers(place.namespace)
    ended = {workload: asyncio.Event() for workload in workloads}
    staying: dict[str, str] = {}

    async def in_turn(workload: str) -> None:
        above = [other for other, containers in workloads.items() if workload in depends_on(containers)]
        for other in above:
            await ended[other].wait()
        if needing := next((other for other in above if other in staying), None):
            staying[workload] = f"{workload} is needed by {needing}"
        elif wrong := await _fall_asleep(access, place, workload, workloads[workload]):
            staying[workload] = f"{workload}: {wrong}"
        ended[workload].set()

    turns = [asyncio.create_task(in_turn(workload)) for workload in workloads]
    try:
        await asyncio.gather(*turns)
    finally:
        for turn in turns:
            turn.cancel()
    if staying:
        raise ConflictError(
            f"not all of {place.run} fell asleep, as with Compose: {'; '.join(staying.values())}",
            remedy="Correct the command, or delete the stack: then none is run.",
        )


async def _fall_asleep(access: Access, place: Place, workload: str, containers: Sequence[Container]) -> str:
    """Stop one workload; return what keeps it running, or nothing."""
    note = access.marks.note(place.namespace, workload)
    alive = [container for container in containers if _is_alive(container, note)]
    if not alive:
        return ""
    access.marks.write_note(place.namespace, replace(note, asleep=True))
    wrong = await asyncio.gather(*(_before_the_stop(access, container) for container in alive))
    if any(wrong):
        access.marks.write_note(place.namespace, note)
        return next(filter(None, wrong))
    await asyncio.gather(*(_end(access, container, None) for container in alive))
    return ""


def depends_on(containers: Sequence[Container]) -> set[str]:
    """Name the workloads that a workload of these containers depends on."""
    labels = (container["Config"].get("Labels") or {} for container in containers)
    return {name for one in labels for name in one.get(LABEL_DEPENDS_ON, "").split(",") if name}


async def wake(access: Access, place: Place, service: str) -> None:
    """Start what sleeps; what had ended before it fell asleep stays as it was."""
    note = access.marks.note(place.namespace, service)
    if not note.asleep:
        return
    client = await access.client()
    for container in await access.containers(place, service):
        if not container["State"]["Running"]:
            with reaching(f"starting {service}"):
                await client.containers.container(container["Id"]).start()
            if wrong := await run_post_start_again(client, container):
                failure = Failure(reason=Reason.ERROR, fault=Fault.REPOSITORY, message=wrong)
                note = replace(note, failure=failure)
    access.marks.write_note(place.namespace, replace(note, asleep=False))


def _is_alive(container: Container, note: Note) -> bool:
    return bool(container["State"]["Running"]) or will_restart(container, note)


async def _stop(access: Access, container: Container, grace: int | None) -> None:
    """End it, whatever its own commands say: its time is over."""
    await _before_the_stop(access, container)
    await _end(access, container, grace)


async def _before_the_stop(access: Access, container: Container) -> str:
    """Run its commands before a stop; return what went wrong in a container that goes on running, or nothing."""
    if not container["State"][
        "Running"
    ]:  # its engine is about to start it again, and can only stop what runs
        await _comes_back(access, container["Id"])
    wrong = await run_pre_stop(await access.client(), container)
    found = await access.find(container["Id"]) if wrong else None
    return wrong if found and found["State"]["Running"] else ""


async def _end(access: Access, container: Container, grace: int | None) -> None:
    client = await access.client()
    with reaching(f"stopping {container['Name'].lstrip('/')}"):
        try:
            await client.containers.container(container["Id"]).stop(t=grace)
        except aiodocker.DockerError as error:
            if error.status not in NOT_RUNNING_ANY_MORE:
                raise


async def _comes_back(access: Access, container: str) -> None:
    deadline = asyncio.get_running_loop().time() + RESTART_TIME.total_seconds()
    while asyncio.get_running_loop().time() < deadline:
        found = await access.find(container)
        if found is None or found["State"]["Running"]:
            return
        await asyncio.sleep(0.1)
