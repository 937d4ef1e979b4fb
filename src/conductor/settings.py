"""Settings of a process: environment variables that begin with `CONDUCTOR_`, each with a default that works on one machine.

Law: every bad value is named at once; a value that is secret is never shown.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import socket
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from conductor.errors import ConfigurationError, Problem

PREFIX = "CONDUCTOR_"
_INSTANCE = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_OBJECT = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_GATEWAY = re.compile(rf"{_OBJECT.pattern}/{_OBJECT.pattern}")
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|K|M|G|T|Ki|Mi|Gi|Ti)?")
_PLACE = re.compile(r"[A-Za-z0-9.-]+(:\d+)?(/[a-z0-9._/-]+)?")
_REACH = re.compile(rf"[0-9a-fA-F.:]+/\d{{1,3}}(:\d{{1,5}})?|{_INSTANCE.pattern}")
SHORTEST_KEY = 32
_EGRESS = ("allow", "cluster", "deny")

Words = Annotated[tuple[str, ...], NoDecode]
"""Several, with commas between them."""
Amounts = Annotated[dict[str, str], NoDecode]
"""`NAME=QUANTITY`, with commas between them."""


class EngineKind(StrEnum):
    """Where workloads run."""

    DOCKER = "docker"
    KUBERNETES = "kubernetes"
    FAKE = "fake"


class RegistryType(StrEnum):
    """Where images go and come from."""

    HARBOR = "harbor"
    DOCKERHUB = "dockerhub"
    PLAIN = "plain"


class LogLevel(StrEnum):
    """What Conductor says of its own work."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How it says it: for people, or one JSON object a line."""

    AUTO = "auto"
    PLAIN = "plain"
    JSON = "json"


def default_state() -> Path:
    """Return the state folder of a user (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "conductor"


class Settings(BaseSettings):
    """All settings of a process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    state: Path = Field(
        default_factory=default_state,
        description="Folder of Conductor's own records, logs and checkouts. Only its owner may read it.",
    )
    engine: EngineKind = Field(
        default=EngineKind.DOCKER,
        description="Where workloads run. `docker` is Docker or Podman, `kubernetes` a cluster, `fake` runs nothing and is for trying "
        "out.",
    )
    docker_host: str | None = Field(
        default=None,
        description="Address of the container engine's API, such as `unix:///run/podman/podman.sock`. "
        "Without it `DOCKER_HOST` and the usual sockets are tried, and Podman's service is started where it is installed.",
    )
    instance: str = Field(
        default="",
        description="Name of this Conductor on its engine: two with different names leave each other's stacks alone. "
        "Lower-case letters, digits and hyphens, 40 at most.",
    )
    max_stacks: int = Field(
        default=20,
        ge=1,
        description="How many stacks may stand at the same time. Where that is full, the oldest kept one goes; "
        "one that a run is at work in, or that is pinned, never does.",
    )
    registry_keep: int = Field(
        default=50,
        ge=1,
        description="How many test images of each service and suite the registry keeps; older ones go when a stack of their repository is "
        "swept (Harbor, Docker Hub; a plain registry tells no dates).",
    )
    kubeconfig: str | None = Field(
        default=None,
        description="File that says where the cluster is and who asks. Without it: the pod's service account, `KUBECONFIG`, "
        "`~/.kube/config`.",
    )
    kube_context: str | None = Field(
        default=None, description="Context of the kubeconfig, where it is not the current one."
    )
    kube_role: str = Field(
        default="",
        description="ClusterRole that Conductor gives its own account in each namespace that it makes (`deploy/` has it); empty where "
        "the account has its rights everywhere.",
    )
    egress: Annotated[Literal["allow", "cluster", "deny"] | tuple[str, ...], NoDecode] = Field(
        default="allow",
        description="What pods of runs reach outside of their namespace: `allow` is everything but link-local addresses, `cluster` the "
        "cluster's pods, `deny` nothing but name servers; or networks such as `10.0.0.0/8,192.0.2.7/32`.",
    )
    callers: Words = Field(
        default=(),
        description="Namespaces that may call into those of runs, with commas between them: the monitoring's, the ingress's.",
    )
    dns_namespaces: Words = Field(
        default=("kube-system",), description="Namespaces in which the cluster's name servers are."
    )
    tools_image: str = Field(
        default="docker.io/w3evolutionsllc/conductor-tools:1",
        description="Image that prepares what pods mount, and collects what tests leave; `deploy/tools/` makes it.",
    )
    pull_secrets: Words = Field(
        default=(), description="Secrets in a run's namespace with which images are pulled."
    )
    storage_class: str = Field(
        default="", description="Class of the volumes of stacks; the cluster's default where empty."
    )
    volume_size: str = Field(
        default="1Gi", description="What a named volume asks for: compose files do not say."
    )
    quota: Amounts = Field(
        default={},
        description="Quota of each namespace, such as `pods=60,requests.cpu=8,limits.memory=48Gi`: what is named replaces the default of "
        "that name.",
    )
    limits: Amounts = Field(
        default={},
        description="Limits of a container whose file names none, such as `cpu=2,memory=1Gi`.",
    )
    requests: Amounts = Field(
        default={},
        description="What is reserved for a container whose file says nothing of it, such as `cpu=50m,memory=64Mi`.",
    )
    ingress_domain: str = Field(
        default="",
        description="Domain under which services of kept stacks get addresses of their own, such as `stacks.example.org`; all names "
        "below it lead to the ingress. Empty for none.",
    )
    ingress_scheme: Literal["http", "https"] = Field(
        default="https",
        description="How visitors reach the ingress. Its certificate is the ingress's own business.",
    )
    ingress_class: str = Field(
        default="", description="IngressClass of the addresses; the cluster's default where empty."
    )
    ingress_namespaces: Words = Field(
        default=(),
        description="Namespaces of the ingress controller or gateway, with commas between them: they reach the gates of stacks and "
        "nothing else. Without it those of `CONDUCTOR_CALLERS`.",
    )
    gateway: str = Field(
        default="",
        description="Gateway that addresses are attached to, as `namespace/name`: HTTPRoutes are made then instead of Ingresses.",
    )
    gate_image: str = Field(
        default="docker.io/w3evolutionsllc/conductor:latest",
        description="Image of Conductor, which also guards the addresses of a stack; `deploy/image/` makes it.",
    )
    gate_key: SecretStr | None = Field(
        default=None,
        description="What the token of each stack's addresses is worked out from, 32 characters or more; without it no address is "
        "made. `openssl rand -hex 32` makes one.",
    )
    registry_type: RegistryType | None = Field(
        default=None,
        validation_alias=AliasChoices("conductor_registry_type", "registry_type"),
        description="Registry that images are pushed to and pulled from; `plain` is any that speaks the OCI distribution API. Without it "
        "images stay in the container engine. `REGISTRY_TYPE` is read too.",
    )
    registry_url: str = Field(
        default="",
        description="Where the registry is: `https://harbor.example.org`. Not needed for Docker Hub.",
    )
    registry_project: str = Field(
        default="",
        description="Harbor's project (`conductor` where empty), Docker Hub's organisation or user, a plain registry's path (may be "
        "empty).",
    )
    registry_project_per_repository: bool = Field(
        default=False,
        description="Harbor: a project for each repository, its name beginning with `CONDUCTOR_REGISTRY_PROJECT`, so that what a build "
        "holds can push to its own repository only. The account must be allowed to make projects.",
    )
    registry_user: str = Field(
        default="",
        description="Account that pushes, scans and removes; for an organisation's token of Docker Hub the organisation.",
    )
    registry_password: SecretStr | None = Field(default=None, description="Its password, or an access token.")
    registry_pull_user: str = Field(
        default="",
        description="Account that may pull and nothing else: namespaces of runs get it. Empty where everybody may pull.",
    )
    registry_pull_password: SecretStr | None = Field(
        default=None, description="Its password, or an access token for reading."
    )
    registry_insecure: bool = Field(
        default=False,
        description="Speak to the registry without TLS, or with a certificate that nobody checks. For trying out.",
    )
    registry_ca_file: Path | None = Field(
        default=None, description="Certificates (PEM) that the registry's is checked by, beside the system's."
    )
    registry_scan: bool = Field(
        default=True, description="Have images scanned for vulnerabilities where the registry can (Harbor)."
    )
    scan_fail_on: Literal["", "critical", "high", "medium", "low"] = Field(
        default="",
        description="A run with a test image in which a scan found anything at least that bad does not pass: `critical`, `high`, `medium` "
        "or `low`. Empty for none.",
    )
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
    build_egress: Words = Field(
        default=(),
        description="What builds on a cluster reach besides the Internet, with commas between them: networks (`10.1.0.0/16`), one port of "
        "them (`10.1.2.3/32:5000`), namespaces (`harbor`). Private addresses, pods and the API server are closed to them otherwise.",
    )
    build_mirrors: Words = Field(
        default=(),
        description="Mirrors of Docker Hub that builds on a cluster ask first, as `HOST[/PATH]`: a proxy project of Harbor, for one.",
    )
    build_registry_map: Amounts = Field(
        default={},
        description="For registries other than Docker Hub the one that builds on a cluster ask instead, as `HOST=HOST[/PATH]`.",
    )
    build_insecure: Words = Field(
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
        "read it: it may read that repository and nothing else. Without it, where `CONDUCTOR_GIT_TOKEN` is needed, Conductor sends what it "
        "has fetched itself.",
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

    @field_validator("docker_host", mode="after")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"(unix|tcp|http|https|ssh|npipe)://.", value):
            raise ValueError("write it as unix:///path/of/socket or tcp://host:port")
        return value

    @field_validator("egress", mode="before")
    @classmethod
    def _egress(cls, value: Any) -> Any:
        if not isinstance(value, str) or value in _EGRESS:
            return value
        try:
            return tuple(str(ipaddress.ip_network(part)) for part in _split(value))
        except ValueError as error:
            raise ValueError(
                f"use {', '.join(_EGRESS)}, or networks with commas between them: {error}"
            ) from None

    @field_validator("callers", "dns_namespaces", "ingress_namespaces", "pull_secrets", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        words = _split(value) if isinstance(value, str) else value
        if wrong := [word for word in words if not _OBJECT.fullmatch(word)]:
            raise ValueError(f"{wrong[0]!r} is no name of a Kubernetes object; put commas between several")
        return words

    @field_validator("quota", "limits", "requests", "build_limits", "build_requests", mode="before")
    @classmethod
    def _amounts(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in _split(value)]
        if wrong := [f"{name}{sign}{size}" for name, sign, size in pairs if not _QUANTITY.fullmatch(size)]:
            raise ValueError(f"{wrong[0]!r} is no NAME=QUANTITY; put commas between several")
        return {name.strip(): size.strip() for name, _, size in pairs}

    @field_validator("build_mirrors", "build_insecure", mode="before")
    @classmethod
    def _places(cls, value: Any) -> Any:
        words = _split(value) if isinstance(value, str) else value
        if wrong := [word for word in words if not _PLACE.fullmatch(word)]:
            raise ValueError(f"{wrong[0]!r} is no HOST[:PORT][/PATH]; put commas between several")
        return words

    @field_validator("build_egress", mode="before")
    @classmethod
    def _reaches(cls, value: Any) -> Any:
        words = _split(value) if isinstance(value, str) else value
        if wrong := [word for word in words if not _REACH.fullmatch(word)]:
            raise ValueError(f"{wrong[0]!r} is no network, network:port or namespace")
        return words

    @field_validator("build_registry_map", mode="before")
    @classmethod
    def _map(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in _split(value)]
        if wrong := [
            f"{host}{sign}{place}" for host, sign, place in pairs if not (host and _PLACE.fullmatch(place))
        ]:
            raise ValueError(f"{wrong[0]!r} is no HOST=HOST[/PATH]; put commas between several")
        return {host.strip(): place.strip() for host, _, place in pairs}

    @field_validator("ingress_domain", mode="after")
    @classmethod
    def _domain(cls, value: str) -> str:
        domain = value.lower().strip(".")
        if domain and not _DOMAIN.fullmatch(domain):
            raise ValueError("write a name such as stacks.example.org, without scheme and port")
        return domain

    @field_validator("gateway", mode="after")
    @classmethod
    def _gateway(cls, value: str) -> str:
        if value and not _GATEWAY.fullmatch(value):
            raise ValueError("write it as namespace/name")
        return value

    @field_validator("gate_key", mode="after")
    @classmethod
    def _long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SHORTEST_KEY:
            raise ValueError(f"it has {SHORTEST_KEY} characters or more: `openssl rand -hex 32` makes one")
        return value

    @field_validator("volume_size", mode="after")
    @classmethod
    def _size(cls, value: str) -> str:
        if not _QUANTITY.fullmatch(value):
            raise ValueError("write a size such as 1Gi")
        return value

    @field_validator("instance", mode="after")
    @classmethod
    def _label(cls, value: str) -> str:
        if value and not _INSTANCE.fullmatch(value):
            raise ValueError("use lower-case letters, digits and hyphens, 40 at most")
        return value

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


def reference() -> str:
    """Write the reference page of all settings."""
    lines = [
        "# Settings",
        "",
        "Conductor is set by environment variables. Each has a default that works on one machine.",
        "",
        "<!-- Generated from src/conductor/settings.py; a test compares them. -->",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        lines.append(
            f"| `{PREFIX}{name.upper()}` | {_default(name)} | {_meaning(name, field.description or '')} |"
        )
    return "\n".join(lines) + "\n"


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)


def _problem(detail: ErrorDetails) -> Problem:
    name = str(detail["loc"][0]).removeprefix(PREFIX.lower()) if detail["loc"] else ""
    message = detail["msg"].removeprefix("Value error, ")
    return Problem(file=f"environment variable {PREFIX}{name.upper()}", message=message)


def _default(name: str) -> str:
    told = {
        "state": "`$XDG_STATE_HOME/conductor`, else `~/.local/state/conductor`",
        "instance": "from machine and state folder",
    }
    default = Settings.model_fields[name].default
    shown = ",".join(default) if isinstance(default, tuple) else default
    if isinstance(default, dict):
        shown = ",".join(f"{key}={value}" for key, value in default.items())
    shown = str(default).lower() if isinstance(default, bool) else shown
    return told.get(name) or (f"`{shown}`" if shown else "none")


def _meaning(name: str, description: str) -> str:
    kind = Settings.model_fields[name].annotation
    kinds = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, StrEnum)]
    words = ", ".join(f"`{word}`" for one in kinds for word in one)
    return f"{description} One of {words}." if words else description


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201 -- how the page is made
