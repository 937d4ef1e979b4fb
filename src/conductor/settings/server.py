"""The server: where it listens, what it runs for whom, and how much at a time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode

from conductor.settings.kinds import Listen, Repositories, WebAddress, split

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:(\d{1,5}|\*))?")


def _hosts(value: Any) -> Any:
    words = split(value) if isinstance(value, str) else value
    if strange := [word for word in words if not _HOST.fullmatch(word)]:
        raise ValueError(f"{strange[0]!r} is no HOST, HOST:PORT or HOST:*; put commas between several")
    return words


Hosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_hosts)]
"""Values of the header `Host`."""


class ServerSettings(BaseSettings):
    """What matters to `conductor serve`."""

    listen: Listen = Field(
        default="127.0.0.1:8000",
        description="Where `conductor serve` listens, as `ADDRESS:PORT`; `0.0.0.0:8000` for every address of the machine. TLS is the "
        "ingress's business.",
    )
    public_url: WebAddress = Field(
        default="",
        description="Where people and forges reach the server, such as `https://conductor.example.org`: links in reports begin with it.",
    )
    mcp_hosts: Hosts = Field(
        default=(),
        description="Names beside that of the public URL by which agents reach `/mcp`, with commas between them, each with its port or "
        "`:*`: `conductor.conductor.svc:8000`. A request for another host is refused there.",
    )
    allow: Repositories = Field(
        default=(),
        description="Repositories whose deliveries start runs, as patterns with commas between them: `acme/shop,acme/web-*`. Without any "
        "nothing is started by a delivery.",
    )
    max_runs: int = Field(
        default=10, ge=1, description="How many runs are at work at the same time; others wait in the queue."
    )
    max_runs_per_repository: int = Field(
        default=4, ge=1, description="How many runs of one repository are at work at the same time."
    )
    reconcile_seconds: int = Field(
        default=300,
        ge=10,
        description="Seconds between two looks for deliveries that were lost and for trigger tags without a run.",
    )
    reconcile_old_tags: bool = Field(
        default=False,
        description="Whether trigger tags that stood before the server first saw their repository start runs. A push of them always does.",
    )
    poll_seconds: int | None = Field(
        default=None,
        ge=1,
        description="Seconds between two looks at the trigger tags where no webhook can reach the server; not set: only to reconcile.",
    )
    drain_seconds: int = Field(
        default=20,
        ge=0,
        description="How long a server that is told to stop answers what was asked already. Runs are not waited for: another replica, or "
        "the next start, goes on with them.",
    )
    metrics_open: bool = Field(
        default=False,
        description="Whether `/metrics` answers without a token, as for a Prometheus in the cluster.",
    )
    repositories: Path | None = Field(
        default=None,
        description="Folder of bare repositories that the server takes tags from; each is called by its path in there, without `.git`.",
    )
    folder_secret: SecretStr | None = Field(
        default=None,
        description="What hooks of bare repositories sign their deliveries with; without it none is taken.",
    )
