"""Workspaces: what an environment is worked in. Made by the engine itself (`plain`) or by Coder.

Laws. Verbs that change something are idempotent and go by names that follow from the environment, so that a crash can orphan nothing. No
verb waits for readiness: the step follows the state. Every verb raises UnreachableError where what makes workspaces does not answer, and
NotFoundError where a workspace is gone that the verb needs.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from conductor.domain.environment import Environment, WorkspaceKind
from conductor.domain.plan import Plan
from conductor.domain.report import LogLine
from conductor.ports.engine import Diagnosis, ExecResult


class WorkspacePhase(StrEnum):
    """Where a workspace stands."""

    STARTING = "starting"
    READY = "ready"
    STOPPED = "stopped"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkspaceState:
    """How it stands, why, and where people find it (`ide`, `terminal`, `page`)."""

    phase: WorkspacePhase
    message: str = ""
    reason: str = ""
    """Of a failure, the field's word (`ImagePullBackOff`, `TerraformFailed`)."""
    links: Mapping[str, str] = field(default_factory=dict)
    image: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkspaceWish:
    """What a workspace is made of: the plan says what, `seed` is a tar of the repository to begin with (plain ones unpack it)."""

    plan: Plan
    image: str
    """The prebuilt image that the file or the server's settings name."""
    secret_keys: tuple[str, ...] = ()
    """Names of the secrets that it gets as variables."""
    seed: str = ""
    """Path of a tar archive on this machine with the repository's folder, `.git` and all, on the work branch; empty where the
    workspace clones for itself."""
    hosts: tuple[str, ...] | None = None
    """Where it may connect to: None is the engine's rule, () nowhere but its own namespace, else names of hosts (`*.npmjs.org`)."""


class Workspaces(Protocol):
    """One of a kind."""

    kind: WorkspaceKind

    async def create(self, environment: Environment, wish: WorkspaceWish) -> None:
        """Make it in the environment's namespace, which is there, with its secrets. There already: adopted."""
        ...

    def follow(self, environment: Environment) -> AsyncGenerator[WorkspaceState]:
        """Yield how it stands, first at once, then whenever that changes, until the caller leaves."""
        ...

    async def state(self, environment: Environment) -> WorkspaceState:
        """Return how it stands now."""
        ...

    async def exec(
        self,
        environment: Environment,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: timedelta | None = None,
        cwd: str = "",
    ) -> ExecResult:
        """Run a command in it, in `cwd` or the repository's folder. 124 when `timeout` ended it."""
        ...

    async def copy_in(self, environment: Environment, path: str, archive: bytes) -> None:
        """Unpack a tar archive at `path`."""
        ...

    def copy_out(self, environment: Environment, path: str) -> AsyncGenerator[bytes]:
        """Yield a tar archive of `path`."""
        ...

    def logs(
        self, environment: Environment, *, since: datetime | None = None, follow: bool = False
    ) -> AsyncGenerator[LogLine]:
        """Yield what it wrote: its container, and what made it (Coder's build)."""
        ...

    async def sleep(self, environment: Environment) -> None:
        """Stop it and keep what it holds."""
        ...

    async def wake(self, environment: Environment) -> None:
        """Start it again."""
        ...

    async def delete(self, environment: Environment) -> None:
        """Remove it, and return once it is gone. Its namespace is the caller's to remove. Gone already: nothing happens."""
        ...

    async def diagnose(self) -> Sequence[Diagnosis]:
        """Look at what makes workspaces for `doctor`. Never raises."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...
