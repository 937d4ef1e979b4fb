"""Workflows: how steps follow each other, started under an id, going on in another process where theirs died."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from dbos import DBOS, SetWorkflowID, WorkflowHandleAsync
from dbos import error as dbos_error

from conductor.domain.event import Told
from conductor.domain.run import Status
from conductor.durable.codec import Plain, Signature, encode
from conductor.durable.room import Room, apart, is_launched, the_room
from conductor.durable.standing import status_of
from conductor.durable.steps import conceal, refuse_if_cut, reveal
from conductor.durable.takeover import resume
from conductor.errors import CancelledRunError, ConflictError, NotFoundError, StateError

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound=Told)

LOOK_AFTER_OWNER_SECONDS = 2.0
"""How often is looked whether the process that works on an awaited result is still there."""


@dataclass(eq=False)
class Workflow(Generic[R, P, T]):
    """A function of steps and other workflows, known by its persisted name. Called, it runs inline, as part of its caller."""

    name: str
    function: Callable[Concatenate[R, P], Awaitable[T]]

    def __post_init__(self) -> None:
        async def perform(arguments: list[Plain]) -> Plain:  # DBOS wants a function, not a method
            return await self._perform(arguments)

        self.registered = DBOS.workflow(name=_unique(self.name, self.function))(perform)

    def __call__(self, run: R, /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Run it inline: its steps become the caller's."""
        return self.function(run, *args, **kwargs)

    @cached_property
    def signature(self) -> Signature:
        """What it takes and gives."""
        return Signature.of(self.function)

    async def _perform(self, arguments: list[Plain]) -> Plain:
        """Run the function in this process and return the record of its end, good or bad."""
        run, *others = self.signature.decode_arguments(arguments)
        if not is_launched() or the_room().lost.is_set():
            raise asyncio.CancelledError  # begun in the very moment of the end: it waits to be resumed
        with the_room().alive(str(DBOS.workflow_id)):
            try:
                value = await cast("Callable[..., Awaitable[T]]", self.function)(run, *others)
                return {"value": encode(value, self.signature.result)}
            except Exception as error:  # noqa: BLE001 -- around a workflow: its failure is recorded
                refuse_if_cut()
                return conceal(run, error)


_named: dict[str, tuple[str, str]] = {}


def _unique(name: str, function: Callable[..., object]) -> str:
    place = (function.__module__, function.__qualname__)
    if _named.setdefault(name, place) != place:
        raise ValueError(f"two workflows are named {name}: {_named[name]} and {place}")
    return name


def workflow(name: str) -> Callable[[Callable[Concatenate[R, P], Awaitable[T]]], Workflow[R, P, T]]:
    """Make a workflow of `async def w(run, ...) -> T`, persisted under `name`: kebab-case, never changed."""
    return lambda function: Workflow(name, function)


@dataclass(frozen=True, slots=True)
class Handle(Generic[T]):
    """A workflow that was started, here or anywhere."""

    id: str
    annotation: Any

    async def result(self) -> T:
        """Wait for its end and return its result, or raise its error.

        Nothing is recorded by waiting, so a step may wait too. Raises `CancelledRunError`, and `StateError` where the process that ran
        it died, or this one was taken for dead.
        """
        room = the_room()
        outcome = room.outcomes.get(self.id)
        if outcome is None:
            outcome = asyncio.create_task(_outcome(room, self.id))
            room.outcomes[self.id] = outcome
            outcome.add_done_callback(lambda done: _forget(room, self.id, done))
        try:
            record = await asyncio.shield(outcome)
        except asyncio.CancelledError:
            refuse_if_cut()
            room.refuse_if_lost()  # not the one who waits was cut off, but all that this process ran
            raise
        return cast("T", reveal(record, self.annotation))


async def start(work: Workflow[R, P, T], run: R, /, *args: Any, id: str) -> Handle[T]:  # noqa: A002 -- the field's word
    """Start it under that id, as a child where a workflow asks. One that is there already is joined; a dead process's is taken over."""
    room = the_room()
    room.refuse_if_lost()
    if DBOS.step_id is not None:
        raise RuntimeError(
            "children are started by workflows: what a step starts would be started again with it"
        )
    arguments = work.signature.encode_arguments([run, *args])
    try:
        with SetWorkflowID(id):
            handle = await DBOS.start_workflow_async(work.registered, arguments)
    except dbos_error.DBOSConflictingWorkflowError as error:
        raise ConflictError(f"{id} is another workflow already", remedy="Choose another id.") from error
    if task := getattr(handle, "task", None):
        room.handles[id] = handle
        task.add_done_callback(lambda _: room.handles.pop(id, None))
    else:
        await _take_over_if_dead(id)
    return Handle(id, work.signature.result)


async def _take_over_if_dead(workflow_id: str) -> None:
    standing = await status_of(workflow_id)
    if standing and standing.status is Status.INTERRUPTED:
        await resume(workflow_id)


async def retrieve(id: str, work: Workflow[R, P, T]) -> Handle[T]:  # noqa: A002 -- the field's word
    """Return the handle of a workflow by its id. Raises `NotFoundError`."""
    if await status_of(id) is None:
        raise NotFoundError(
            f"there is no workflow {id}", remedy="`conductor runs list` shows the runs there are."
        )
    return Handle(id, work.signature.result)


async def outcome_of(id: str, work: Workflow[R, P, T]) -> T:  # noqa: A002 -- the field's word
    """Wait for another workflow's result, in a step too."""
    return await (await retrieve(id, work)).result()


async def _outcome(room: Room, workflow_id: str) -> Plain:
    """Wait for the record of its end; whether the process that is at it still lives is looked at now and then."""
    waiting = asyncio.ensure_future(_record_apart(room, workflow_id))
    try:
        while True:
            done, _ = await asyncio.wait({waiting}, timeout=LOOK_AFTER_OWNER_SECONDS)
            if done:
                return waiting.result()
            if workflow_id not in room.living:
                await _refuse_dead(workflow_id)
    finally:
        waiting.cancel()


async def _record_apart(room: Room, workflow_id: str) -> Plain:
    return await apart(_record(room, workflow_id))


async def _record(room: Room, workflow_id: str) -> Plain:
    handle: WorkflowHandleAsync[Plain] = room.handles.get(workflow_id) or await DBOS.retrieve_workflow_async(
        workflow_id, existing_workflow=False
    )
    try:
        return await handle.get_result(polling_interval_sec=room.poll_seconds)
    except dbos_error.DBOSAwaitedWorkflowCancelledError as error:
        raise CancelledRunError(f"{workflow_id} was cancelled") from error
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if (
            task and not task.cancelling() and not room.lost.is_set()
        ):  # not the one who waits was cut off, but what it waits for
            raise CancelledRunError(f"{workflow_id} was cancelled") from None
        raise


async def _refuse_dead(workflow_id: str) -> None:
    standing = await status_of(workflow_id)
    if standing and standing.status is Status.INTERRUPTED:
        raise StateError(
            f"the process that ran {workflow_id} is gone", remedy="Go on with it: `conductor runs resume`."
        )


def _forget(room: Room, workflow_id: str, done: asyncio.Task[Plain]) -> None:
    room.outcomes.pop(workflow_id, None)
    if not done.cancelled():
        done.exception()  # whoever waited has seen it
