"""This process: its records, its engine, its name, its log, and how it reaches git."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from conductor.settings.kinds import (
    DatabaseAddress,
    EngineAddress,
    EngineKind,
    InstanceName,
    LogFormat,
    LogLevel,
)


def default_state() -> Path:
    """Return the state folder of a user (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "conductor"


class OwnSettings(BaseSettings):
    """What every Conductor has."""

    state: Path = Field(
        default_factory=default_state,
        description="Folder of Conductor's own records, logs and checkouts. Only its owner may read it.",
    )
    database: DatabaseAddress | None = Field(
        default=None,
        description="Postgres database of the records and of what runs, as `postgresql://USER:PASSWORD@HOST/NAME`: several replicas of "
        "Conductor share it. Without it both are files in the state folder.",
    )
    engine: EngineKind = Field(
        default=EngineKind.DOCKER,
        description="Where workloads run. `docker` is Docker or Podman, `kubernetes` a cluster, `fake` runs nothing and is for trying "
        "out.",
    )
    docker_host: EngineAddress | None = Field(
        default=None,
        description="Address of the container engine's API, such as `unix:///run/podman/podman.sock`. "
        "Without it `DOCKER_HOST` and the usual sockets are tried, and Podman's service is started where it is installed.",
    )
    instance: InstanceName = Field(
        default="",
        description="Name of this Conductor on its engine: two with different names leave each other's stacks alone. "
        "Lower-case letters, digits and hyphens, 40 at most.",
    )
    principal: str = Field(
        default="",
        max_length=100,
        description="Who you are at the desk, for claims and environments: agents that share a machine have names of their own. Empty: the "
        "user's name. On a server the token says it.",
    )
    max_stacks: int = Field(
        default=20,
        ge=1,
        description="How many stacks may stand at the same time. Where that is full, the oldest kept one goes; "
        "one that a run is at work in, or that is pinned, never does.",
    )
    git_host: str = Field(
        default="github.com", description="Host that `CONDUCTOR_GIT_TOKEN` is sent to, and no other."
    )
    git_token: SecretStr | None = Field(
        default=None, description="Token for private repositories over https."
    )
    log: LogLevel = Field(
        default=LogLevel.WARNING, description="What Conductor says of its own work on standard error."
    )
    log_format: LogFormat = Field(
        default=LogFormat.AUTO,
        description="`plain` for people, `json` for collectors; `auto` is plain on a terminal.",
    )

    @field_validator("state", mode="after")
    @classmethod
    def _whole_path(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def database_url(self) -> str | None:
        """The database's address with its password, for whoever connects; None where files are used."""
        return self.database.get_secret_value() if self.database else None
