"""A development environment: a place of its own for whoever works on one issue, with a workspace, its secrets and a lease."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from conductor.domain.run import Source
from conductor.domain.verdict import Fault


class EnvironmentStatus(StrEnum):
    """Where an environment stands. The last two are endings."""

    REQUESTED = "requested"
    PROVISIONING = "provisioning"
    READY = "ready"
    SLEEPING = "sleeping"
    FAILED = "failed"
    """It never got ready, and nothing of it was left behind."""
    RELEASED = "released"

    @property
    def is_over(self) -> bool:
        """Tell whether nothing of it stands any more."""
        return self in (EnvironmentStatus.FAILED, EnvironmentStatus.RELEASED)

    @property
    def is_under_way(self) -> bool:
        """Tell whether it is still being made."""
        return self in (EnvironmentStatus.REQUESTED, EnvironmentStatus.PROVISIONING)


class WorkspaceKind(StrEnum):
    """What gives the workspace."""

    PLAIN = "plain"
    """The engine: a container or pod of the prebuilt image."""
    CODER = "coder"


WORKSPACE_SERVICE = "workspace"
"""The workload's name in its namespace, whatever made it: an engine finds it under this one."""
CHECKOUT = "/workspace/code"
"""Where the repository lies in a plain workspace."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """One environment, as it was asked for. Nothing in it changes; what becomes of it is in its row, its steps and its events."""

    id: str
    """`<repository>-env-<six characters>`: letters, digits and hyphens, 40 at most."""
    repository: str
    source: Source
    """What the work begins at: the commit of the base branch (or of the work branch, where it is there already)."""
    branch: str
    """The branch that the work goes to."""
    principal: str
    requested_at: datetime
    issue: int | None = None
    base: str = ""
    """The branch that the work was begun from."""
    environment: str = "dev"
    """Which suffix of secrets: `OPENAI_API_KEY` is taken from `OPENAI_API_KEY_DEV`."""
    kind: WorkspaceKind = WorkspaceKind.PLAIN
    keep_for: timedelta | None = None
    """Overrides the file's lease."""
    env_files: tuple[str, ...] = ()
    """Files outside the repository that hold secrets: paths, never values."""
    hosting: str = ""
    """The forge that it came by (`github`, `folder`); empty: a location that git understands."""
    attempt: int = 1
    """Always 1: steps and events are keyed by it, as a run's are."""

    @property
    def key(self) -> str:
        """What only one environment that is not over can have: the same request again gets the same environment."""
        of = f"#{self.issue}" if self.issue else f"@{self.branch}"
        return f"{self.repository.lower()}{of}/{self.principal}"

    @property
    def namespace(self) -> str:
        """The name of its isolated place on the engine."""
        return f"conductor-{self.id}"

    @property
    def workflow_id(self) -> str:
        """The durable name of its provisioning."""
        return f"environment/{self.id}"

    @property
    def release_id(self) -> str:
        """The durable name of its end."""
        return f"release/{self.id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentState:
    """What became of it. `links` are names (`ide`, `terminal`, `dashboard`, `logs`) and addresses for people."""

    status: EnvironmentStatus = EnvironmentStatus.REQUESTED
    message: str = ""
    """Why it failed, or what it waits for."""
    reason: str = ""
    fault: Fault | None = None
    remedy: str = ""
    image: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    """Names of the keys that the workspace has; never values."""
    ready_at: datetime | None = None
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    """As its lease said when this was written; None: pinned, or not ready yet."""
