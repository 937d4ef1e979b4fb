"""All settings of a process, and how they are read."""

from __future__ import annotations

import hashlib
import re
import socket
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsConfigDict

from conductor.errors import ConfigurationError, Problem
from conductor.settings.builds import BuildSettings
from conductor.settings.cluster import ClusterSettings
from conductor.settings.forge import ForgeSettings
from conductor.settings.issues import IssueSettings
from conductor.settings.keeping import KeepingSettings
from conductor.settings.observing import ObservingSettings
from conductor.settings.own import OwnSettings, default_state
from conductor.settings.registry import RegistrySettings
from conductor.settings.secrets import SecretSettings
from conductor.settings.server import ServerSettings
from conductor.settings.workspaces import WorkspaceSettings

PREFIX = "CONDUCTOR_"


class Settings(
    ForgeSettings,
    SecretSettings,
    IssueSettings,
    KeepingSettings,
    ObservingSettings,
    ServerSettings,
    WorkspaceSettings,
    BuildSettings,
    RegistrySettings,
    ClusterSettings,
    OwnSettings,
):
    """All settings of a process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        """Name the instance after its machine and state folder, so that it is the same each time and another's is not."""
        if isinstance(values, dict) and not values.get("instance"):
            state = Path(values.get("state") or default_state()).expanduser().absolute()
            values = {**values, "instance": instance_name(state, socket.gethostname())}
        return values


def instance_name(state: Path, host: str) -> str:
    """Work out a name for an instance.

    >>> instance_name(Path("/var/lib/conductor"), "Build-1.example.org")
    'build-1-00e0e254'
    """
    machine = (
        re.sub(r"[^a-z0-9]+", "-", host.split(".", maxsplit=1)[0].lower()).strip("-")[:30].strip("-")
        or "machine"
    )
    return f"{machine}-{hashlib.sha256(f'{host}:{state}'.encode()).hexdigest()[:8]}"


def read_settings(*, state: Path | None = None) -> Settings:
    """Read the environment; `state` overrides the state folder. Raises ConfigurationError naming every bad value."""
    given: dict[str, Any] = {} if state is None else {"state": state}
    try:
        return Settings(**given)
    except ValidationError as error:
        problems = [_problem(detail) for detail in error.errors(include_input=False)]
    raise ConfigurationError(problems, remedy="docs/reference/settings.md lists all settings.")


def _problem(detail: ErrorDetails) -> Problem:
    name = str(detail["loc"][0]).removeprefix(PREFIX.lower()) if detail["loc"] else ""
    message = detail["msg"].removeprefix("Value error, ")
    return Problem(file=f"environment variable {PREFIX}{name.upper()}", message=message)
