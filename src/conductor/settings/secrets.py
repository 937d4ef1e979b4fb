"""Secrets: where they come from, which environments this server serves, and who brings them to a cluster."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import partial
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode

from conductor.settings.kinds import GatewayName, several


class SecretsSource(StrEnum):
    """Where secrets come from."""

    EMBEDDED = "embedded"
    GITHUB = "github"


_ENVIRONMENT = re.compile(r"[a-z][a-z0-9_]{0,39}")
Suffixes = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(
        partial(several, like=_ENVIRONMENT, wrong="is no environment such as qa; put commas between several")
    ),
]


class SecretSettings(BaseSettings):
    """What matters to secrets."""

    secrets: SecretsSource = Field(
        default=SecretsSource.EMBEDDED,
        description="Where secrets come from. `embedded`: files outside the repository and this process' environment. `github`: GitHub "
        "Secrets, brought to the cluster by a workflow on a runner of its own, so that no value passes here.",
    )
    secrets_environments: Suffixes = Field(
        default=("dev", "qa"),
        description="Environments whose secrets this server has brought from GitHub for repositories that may ask for them; `prod` only "
        "where it is named here too.",
    )
    secrets_runner: str = Field(
        default="conductor-secrets",
        min_length=1,
        description="Runner scale set that the workflow runs on.",
    )
    secrets_account: GatewayName = Field(
        default="arc-runners/conductor-runner",
        description="Service account of that scale set's runners, as `namespace/name`.",
    )
    secrets_role: str = Field(
        default="conductor-secret-writer",
        description="ClusterRole that this account gets in a namespace while secrets are brought there (`deploy/arc/` has it).",
    )
    secrets_timeout_seconds: int = Field(
        default=300,
        gt=0,
        description="How long the workflow may take, in seconds, from its dispatch to its end; then it is dispatched once more.",
    )
