"""Builds on a cluster, by Kaniko."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from conductor.settings.kinds import Amounts, PlaceMap, Places, Reaches


class BuildSettings(BaseSettings):
    """How images are built where the engine is `kubernetes`."""

    kaniko_image: str = Field(
        default="ghcr.io/osscontainertools/kaniko:v1.28.3",
        description="Image of Kaniko's executor, which builds images on a cluster: a release of osscontainertools/kaniko from v1.28 on. "
        "Name it by digest (`...@sha256:...`) where it has to stay the same.",
    )
    build_namespace: str = Field(
        default="",
        description="Namespace in which images are built; `conductor-builds-<instance>` where empty. It is Conductor's own.",
    )
    build_limits: Amounts = Field(
        default={"memory": "4Gi"},
        description="Limits of one build on a cluster, such as `cpu=4,memory=4Gi,ephemeral-storage=20Gi`.",
    )
    build_requests: Amounts = Field(
        default={"cpu": "250m", "memory": "256Mi"},
        description="What is reserved for one build on a cluster.",
    )
    build_time_limit: int = Field(
        default=30, ge=1, description="Minutes that one build on a cluster may take from its start."
    )
    builds_at_once: int = Field(
        default=4, ge=1, description="How many builds run on a cluster at the same time; others wait."
    )
    build_egress: Reaches = Field(
        default=(),
        description="What builds on a cluster reach besides the Internet, with commas between them: networks (`10.1.0.0/16`), one port of "
        "them (`10.1.2.3/32:5000`), namespaces (`harbor`). Private addresses, pods and the API server are closed to them otherwise.",
    )
    build_mirrors: Places = Field(
        default=(),
        description="Mirrors of Docker Hub that builds on a cluster ask first, as `HOST[/PATH]`: a proxy project of Harbor, for one.",
    )
    build_registry_map: PlaceMap = Field(
        default={},
        description="For registries other than Docker Hub the one that builds on a cluster ask instead, as `HOST=HOST[/PATH]`.",
    )
    build_insecure: Places = Field(
        default=(),
        description="Registries (`HOST[:PORT]`) that builds on a cluster pull from by plain HTTP.",
    )
    build_ca_file: Path | None = Field(
        default=None,
        description="Certificates (PEM) by which builds on a cluster trust registries and git servers, beside the public ones.",
    )
    build_pulls_file: Path | None = Field(
        default=None,
        description="Docker configuration file with the accounts by which builds on a cluster pull base images. Whatever a Dockerfile "
        "runs can read them: they may pull and nothing else.",
    )
    build_git_token: SecretStr | None = Field(
        default=None,
        description="Token with which the cluster fetches commits from `CONDUCTOR_GIT_HOST` to build them. Whatever a Dockerfile runs can "
        "read it: it may read that repository and nothing else. Without it a GitHub App makes one for each build, for its repository and "
        "an hour; and where there is only `CONDUCTOR_GIT_TOKEN` or `CONDUCTOR_GITHUB_TOKEN`, Conductor sends what it has fetched itself.",
    )
