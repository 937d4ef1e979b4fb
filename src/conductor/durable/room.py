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
from conductor.durable.executors import Executors
from conductor.durable.troubles import Foreseen, state_error
from conductor.errors import RefusedError, StateError

SHAPE = "1"
"""The version of all workflows' order of steps. Raised when it changes: what older ones left is then refused, not misread."""

LOOK_SECONDS = 0.25
"""How often the process looks whether another one cancelled what it runs."""

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
    handles: dict[str, WorkflowHandleAsync[Any]] = field(default_factory=dict)
    outcomes: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    living: dict[str, Living] = field(default_factory=dict)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    watcher: asyncio.Task[None] | None = None
    listening: bool = False

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
            except StateError:
                logging.getLogger(__name__).warning("looking for cancelled runs failed", exc_info=True)


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


def is_alive(executor_id: str) -> bool:
    """Tell whether the process of that executor still runs."""
    return the_room().executors.is_alive(executor_id)


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


async def launch(state: Path | str, *, executor_name: str | None = None) -> str:
    """Open the room on a state folder, on the running event loop, and return this process's executor id.

    Nothing is taken over: `orphans` and `resume` do that. Raises `StateError` where the folder or the database cannot be used.
    """
    if _rooms:
        raise RuntimeError("durable execution is launched already")
    folder = _folder(state)
    executors = Executors(folder)
    own = executors.enter(executor_name)
    try:
        with executors.alone():
            _open(folder / DATABASE, own)
    except (SQLAlchemyError, OSError) as error:
        executors.leave()
        DBOS.destroy()
        raise StateError(
            f"opening {folder / DATABASE}: {error}",
            remedy="Free disk space, or move the damaged file away: runs that were under way are lost with it.",
        ) from error
    room = Room(executors)
    room.watcher = asyncio.create_task(room.watch())
    _rooms.append(room)
    return own


def _folder(state: Path | str) -> Path:
    text = str(state)
    if "://" in text and not text.startswith("sqlite:///"):
        raise RefusedError(
            "durable execution on another database than SQLite",
            remedy="Name a folder of this machine as the state folder.",
        )
    return Path(text.removeprefix("sqlite:///"))


def _open(database: Path, own: str) -> None:
    """Launch DBOS. It must be called on the event loop: DBOS adopts the running one for all it will run."""
    _quieten()
    DBOS(
        config=DBOSConfig(
            name="conductor",
            system_database_url=f"sqlite:///{database}",
            system_database_engine=_engine(database),
            serializer=JsonSerializer(),
            application_version=SHAPE,
            executor_id=own,
            log_level="WARNING",
            max_executor_threads=THREADS,
            notification_listener_polling_interval_sec=0.05,  # nothing is ever notified: it bounds how long closing takes
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
    waiting = {*room.tasks, *room.outcomes.values()} | ({room.watcher} if room.watcher else set())
    waiting.discard(asyncio.current_task())
    for task in waiting:
        task.cancel()
    if waiting:
        await asyncio.wait(waiting, timeout=grace_seconds)
    if room.listening:
        with suppress(StateError):
            await apart(DBOS.delete_queue_async(room.queue))
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as pool:
        await loop.run_in_executor(pool, DBOS.destroy)
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
