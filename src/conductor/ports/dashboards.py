"""Dashboards: what people look at while something runs, made when it begins and removed with it."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Of(StrEnum):
    """What a dashboard is of."""

    FLEET = "fleet"
    REPOSITORY = "repository"
    RUN = "run"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard: of which run (by its id), environment (by its id) or repository (by its name); the fleet's has no name."""

    of: Of
    name: str = ""


class Dashboards(Protocol):
    """Law: verbs may be repeated, and name a dashboard by what it is of; those of other instances are neither seen nor touched."""

    async def ensure(self, board: Board) -> None:
        """Make it, or leave it as it stands. UnreachableError, UsageError where the account may not, ConflictError where others edit it."""
        ...

    async def remove(self, uid: str) -> None:
        """Remove it; gone already is well."""
        ...

    async def standing(self) -> AbstractSet[str]:
        """Return the uids of those that stand."""
        ...

    def uid(self, board: Board) -> str:
        """Work out what it is found by."""
        ...

    def link(self, board: Board) -> str:
        """Return its address for people, there or not."""
        ...

    def logs(self, board: Board) -> str:
        """Return where people search its logs; empty where they are not collected."""
        ...
