"""The room where this process's workflows live: launched once, on the event loop that all of them will run on.

It holds what DBOS does not: which workflows this process is running, so that a result arrives at once and a cancellation cuts a waiting
step short, and which executor this process is.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, WorkflowHandleAsync
from dbos import error as dbos_error
from sqlalchemy.exc import SQLAlchemyError

from conductor.durable.codec import JsonSerializer
from conductor.durable.executors import Executors, executors_of
from conductor.durable.postgres import SCHEMA, engine_of, is_postgres
from conductor.durable.troubles import Foreseen, state_error
from conductor.errors import ConductorError, StateError, UsageError

SHAPE = "1"
"""The version of all workflows' order of steps. Raised when it changes: what older ones left is then refused, not misread."""

LOOK_SECONDS = 0.25
"""How often the process looks whether another one cancelled what it runs."""

GUARD_SECONDS = 0.2
"""How often the process looks whether it is still one of the living. It asks nobody, so that nothing can hold it up."""

POLL_SECONDS = {"sqlite": 0.02, "postgresql": 0.2}
"""How often a result is looked for that another process works on, or that was resumed. What was started here arrives at once."""

THREADS = 32
DATABASE = "workflows.db"

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Living:
    """A workflow that runs in this process."""

    id: str
    task: asyncio.Task[Any]
    cancelled: bool = False


@dataclass(eq=False, slots=True)
class Room:
    """One launched process. `handles` are of workflows started here that have not ended."""

    executors: Executors
    engine: sa.Engine
    """The workflows' database: whoever gives it to DBOS closes it, too."""
    poll_seconds: float = POLL_SECONDS["sqlite"]
    handles: dict[str, WorkflowHandleAsync[Any]] = field(default_factory=dict)
    outcomes: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    living: dict[str, Living] = field(default_factory=dict)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    watchers: list[asyncio.Task[None]] = field(default_factory=list)
    listening: bool = False
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once this process may have been declared dead: nothing runs in it any more."""

    @property
    def queue(self) -> str:
        """The queue on which this process puts what it takes over."""
        return queue_of(self.executors.own)

    @contextmanager
    def alive(self, workflow_id: str) -> Iterator[Living]:
        """Know the workflow while its function runs."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("workflows run in tasks")
        living = Living(workflow_id, task)
        self.living[workflow_id] = living
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        try:
            yield living
        finally:
            if self.living.get(workflow_id) is living:
                del self.living[workflow_id]

    async def cut_cancelled(self) -> list[asyncio.Task[Any]]:
        """End the tasks of workflows that were cancelled, here or elsewhere; return them."""
        if not self.living:
            return []
        rows = await apart(
            DBOS.list_workflows_async(
                workflow_ids=list(self.living), status="CANCELLED", load_input=False, load_output=False
            )
        )
        cut = [
            living for row in rows if (living := self.living.get(row.workflow_id)) and not living.cancelled
        ]
        for living in cut:
            living.cancelled = True
            living.task.cancel()
        return [living.task for living in cut]

    async def watch(self) -> None:
        """Look for cancellations as long as the room is open."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.cut_cancelled()
            except ConductorError as error:
                logging.getLogger(__name__).warning("looking for cancelled runs failed: %s", error)

    async def guard(self) -> None:
        """Let go of everything as soon as this process may have been declared dead."""
        while not self.executors.is_lost():  # noqa: ASYNC110 -- what changes it is a clock
            await asyncio.sleep(GUARD_SECONDS)
        self.lost.set()
        for task in (*self.tasks, *self.outcomes.values()):
            task.cancel()
        logging.getLogger(__name__).error("%s", lost_error())
        await asyncio.to_thread(self.executors.leave)  # so that others need not wait until its row is old

    def refuse_if_lost(self) -> None:
        """Raise `StateError` in a process that may have been declared dead."""
        if self.lost.is_set():
            raise lost_error()


_rooms: list[Room] = []


def the_room() -> Room:
    """Return it. A workflow before `launch` is a mistake of ours."""
    if not _rooms:
        raise RuntimeError("durable execution is not launched: durable.launch() comes first")
    return _rooms[0]


def is_launched() -> bool:
    """Tell whether workflows run in this process."""
    return bool(_rooms)


def executor() -> str:
    """Return the id of this process among the executors."""
    return the_room().executors.own


async def is_alive(executor_id: str) -> bool:
    """Tell whether the process of that executor still runs."""
    return executor_id in await the_room().executors.living([executor_id])


async def until_lost() -> None:
    """Return once this process must not go on: what ran in it is cut off and others take it over. The process is to end, and start anew.

    That is so where it could not reach the database for longer than the others wait; with file locks it never is.
    """
    await the_room().lost.wait()


def lost_error() -> StateError:
    """Make the error of a process that the others take for dead."""
    return StateError(
        "this process could not reach its database for too long: the others take it for dead, so its runs were cut off here",
        remedy="They go on in another process; start this one again, or use `conductor runs resume`.",
    )


def is_cancelled(workflow_id: str | None) -> bool:
    """Tell whether that is a workflow of this process which somebody cancelled."""
    living = _rooms[0].living.get(workflow_id) if _rooms and workflow_id else None
    return living is not None and living.cancelled


def queue_of(executor_id: str) -> str:
    """Name the queue of an executor."""
    return f"executor/{executor_id}"


def owner_of(queue: str | None, executor_id: str | None) -> str:
    """Tell whose a workflow is: of the one that queued it for itself, or that runs it."""
    return queue.removeprefix("executor/") if queue else executor_id or ""


async def apart(work: Coroutine[Any, Any, T]) -> T:
    """Ask DBOS outside of any workflow's record, although a workflow asks. Cancelled with the caller; its troubles are `StateError`."""
    task = asyncio.get_running_loop().create_task(_awaiting(work), context=contextvars.Context())
    try:
        return await task
    finally:
        work.close()  # cancelled before it began, it would be missed


async def _awaiting(work: Awaitable[T]) -> T:
    try:
        return await work
    except SQLAlchemyError as error:
        raise state_error(error) from error


async def launch(state: Path | str, *, database: str | None = None, executor_name: str | None = None) -> str:
    """Open the room on a state folder, on the running event loop, and return this process's executor id.

    `database` is the URL of a Postgres database; without it the workflows are in a file of the folder. Nothing is taken over: `orphans`
    and `resume` do that. Raises `StateError` where the folder or the database cannot be used, `UnreachableError` where no server answers.
    """
    if _rooms:
        raise RuntimeError("durable execution is launched already")
    if database and not is_postgres(database):
        raise UsageError(
            "durable execution on another database than Postgres", remedy="Write it as postgresql://..."
        )
    folder = Path(state)
    executors = executors_of(folder, database)
    own = executors.enter(executor_name)
    engine = engine_of(database) if database else _engine(folder / DATABASE)
    try:
        with executors.alone():
            _open(database or f"sqlite:///{folder / DATABASE}", engine, own)
    except (SQLAlchemyError, OSError, dbos_error.DBOSException) as error:
        executors.leave()
        DBOS.destroy()
        engine.dispose()
        raise _unopened(error, None if database else folder / DATABASE) from error
    room = Room(executors, engine, POLL_SECONDS["postgresql" if database else "sqlite"])
    room.watchers = [asyncio.create_task(room.watch()), asyncio.create_task(room.guard())]
    _rooms.append(room)
    return own


def _unopened(error: Exception, file: Path | None) -> ConductorError:
    if file is None and isinstance(error, SQLAlchemyError):
        return state_error(error)
    what = file or "the workflows' tables in the database"
    remedy = "Free disk space, or move the damaged file away: runs that were under way are lost with it."
    return StateError(
        f"opening {what}: {error}", remedy=remedy if file else "See that its user may make tables."
    )


def _open(url: str, engine: sa.Engine, own: str) -> None:
    """Launch DBOS. It must be called on the event loop: DBOS adopts the running one for all it will run."""
    _quieten()
    DBOS(
        config=DBOSConfig(
            name="conductor",
            system_database_url=url,
            system_database_engine=engine,
            dbos_system_schema=SCHEMA,
            use_listen_notify=False,  # nothing is ever notified, and a pooler in between bears it
            serializer=JsonSerializer(),
            application_version=SHAPE,
            executor_id=own,
            log_level="WARNING",
            max_executor_threads=THREADS,
            notification_listener_polling_interval_sec=0.05,  # it bounds how long closing takes
            enable_otlp=False,
        )
    )
    DBOS.listen_queues([queue_of(own)])
    DBOS.launch()


def _engine(database: Path) -> sa.Engine:
    engine = sa.create_engine(f"sqlite:///{database}", connect_args={"check_same_thread": False})

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


async def shutdown(*, grace_seconds: float = 5.0) -> None:
    """Close the room. What runs is cut off where it is and stays to be resumed: a shutdown is not an ending."""
    if not _rooms:
        return
    room = _rooms.pop()
    waiting = {*room.tasks, *room.outcomes.values(), *room.watchers}
    waiting.discard(asyncio.current_task())
    for task in waiting:
        task.cancel()
    if waiting:
        await asyncio.wait(waiting, timeout=grace_seconds)
    if room.listening and not room.lost.is_set():
        with suppress(ConductorError):
            await apart(DBOS.delete_queue_async(room.queue))
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as pool:
        await loop.run_in_executor(pool, DBOS.destroy)
        await loop.run_in_executor(pool, room.engine.dispose)
    loop.set_default_executor(ThreadPoolExecutor(THREADS))  # the loop's was DBOS's, and is gone
    room.executors.leave()


class _NoNews(logging.Filter):
    """Drops what DBOS says of cut-off tasks: cancelling them is how Conductor stops."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], dbos_error.DBOSAwaitedWorkflowCancelledError):
            return False
        text = str(record.msg)
        return not any(
            known in text for known in ("Asyncio task cancelled", "was cancelled during", "no longer owned")
        )


def _quieten() -> None:
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())  # keeps DBOS from printing by itself; ours take it from here
        logger.addFilter(_NoNews())
        logger.addFilter(Foreseen())
