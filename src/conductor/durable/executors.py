"""Who is at work, and whose process is dead: the sign of life behind every takeover.

Law: every process has an id that no other ever had. Whoever is not among the living is dead for good: what it left may be taken over by
one other process, and it never goes on as if it still owned it.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Protocol

from conductor.domain.names import ALPHABET, slug
from conductor.errors import ConflictError


class Executors(Protocol):
    """The processes that share one database of workflows: file locks on SQLite (`locks`), heartbeats on Postgres (`heartbeats`)."""

    own: str
    """The id of this process; empty until it entered."""

    def enter(self, name: str | None = None) -> str:
        """Become one of them under a fresh id, which begins with `name` or the machine's."""
        ...

    def leave(self) -> None:
        """Be one no more; what is not ended may be taken over from now on. Looking at the others is still possible."""
        ...

    def alone(self) -> AbstractContextManager[None]:
        """Keep other processes out while the database is made or changed."""
        ...

    def is_lost(self) -> bool:
        """Tell whether this process may have been declared dead: it must not go on with what it ran. Never blocks."""
        ...

    async def living(self, ids: Collection[str]) -> frozenset[str]:
        """Return which of them still run."""
        ...

    async def describe(self, executor: str) -> str:
        """Say who that is, for people."""
        ...

    def takeover(self, executor: str) -> AbstractAsyncContextManager[None]:
        """Keep everybody else from a dead process's work. `ConflictError` where it lives, or another is at it."""
        ...

    async def sweep(self) -> None:
        """Forget the dead; of whom something is left must not be asked for afterwards."""
        ...


def executors_of(state: Path, database: str | None = None) -> Executors:
    """Return those of a state folder, or of a Postgres database, of which this process is none yet."""
    if database:
        from conductor.durable.heartbeats import Heartbeats  # noqa: PLC0415 -- brings SQL with it

        return Heartbeats(database)
    from conductor.durable.locks import Locks  # noqa: PLC0415 -- it knows this module

    return Locks(state)


def fresh_id(name: str | None) -> str:
    """Make an id that no process ever had."""
    suffix = "".join(secrets.choice(ALPHABET) for _ in range(6))
    return f"{slug(name or socket.gethostname())}-{os.getpid()}-{suffix}"


def at_work(who: str) -> ConflictError:
    """Make the error of work that a living process has."""
    return ConflictError(
        f"{who} is at work on it", remedy="Wait for it, or stop it: `conductor runs cancel`."
    )
