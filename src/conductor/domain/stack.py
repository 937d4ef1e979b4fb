"""The stack: what a repository's compose files ask for, in the one form that every engine is told.

Law: nothing here is specific to an engine, everything is resolved (no interpolation, no short forms), and no value of a secret is
ever in it: where one belongs stands its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Literal


class Condition(StrEnum):
    """When a dependency counts as met: Compose's words and meaning."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


class Restart(StrEnum):
    """What happens when a service's container exits by itself."""

    NO = "no"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"
    UNLESS_STOPPED = "unless-stopped"


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretText:
    """Text with secrets in it: `parts` are literal text and names of secrets in turn (literal, name, literal, ..., literal).

    `postgres://app:${DB_PASSWORD}@db/app` is ("postgres://app:", "DB_PASSWORD", "@db/app").
    """

    parts: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The secrets in it, as the plan names them."""
        return self.parts[1::2]


Environment = Mapping[str, str | SecretText]


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """How an image is made. Paths are relative to the checkout, with `/`, and lead nowhere else."""

    context: str = "."
    dockerfile: str = "Dockerfile"
    """Relative to the checkout, not to the context."""
    dockerfile_inline: str | None = None
    target: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    network: str | None = None
    no_cache: bool = False
    pull: bool = False
    platform: str | None = None
    shm_bytes: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependency:
    """Another service that has to be so far first."""

    service: str
    condition: Condition = Condition.STARTED
    required: bool = True
    restart: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Healthcheck:
    """How to tell that a service is ready. `test` is ("CMD", ...) or ("CMD-SHELL", text); defaults are Compose's.

    `test` () is the image's own, with other times: who knows the image asks `over` what counts.
    """

    test: tuple[str, ...]
    interval: timedelta = timedelta(seconds=30)
    timeout: timedelta = timedelta(seconds=30)
    retries: int = 3
    start_period: timedelta = timedelta(0)
    start_interval: timedelta = timedelta(seconds=5)
    inherited: tuple[str, ...] = ()
    """Fields that the file leaves open: where the image has a check too, its values count, else those here."""

    def over(self, image: Healthcheck | None) -> Healthcheck | None:
        """Lay it over the image's own check, as Docker does. None where there is nothing to run.

        >>> own = Healthcheck(test=("CMD", "look"), retries=9)
        >>> Healthcheck(test=(), interval=timedelta(seconds=1), inherited=("retries",)).over(own).retries
        9
        """
        if image is None:
            return self if self.test else None
        open_fields = {name: getattr(image, name) for name in self.inherited}
        return replace(self, test=self.test or image.test, inherited=(), **open_fields)


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeMount:
    """A named volume of the stack (`volume`), or an anonymous one of this service alone (None)."""

    kind: Literal["volume"] = "volume"
    volume: str | None
    target: str
    read_only: bool = False
    subpath: str | None = None
    nocopy: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class BindMount:
    """A file or folder of the repository; `source` is relative to the checkout and leads nowhere else."""

    kind: Literal["bind"] = "bind"
    source: str
    target: str
    read_only: bool = False
    create: bool = True
    """Make an empty folder where `source` does not exist (Compose's `create_host_path`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TmpfsMount:
    """Memory that goes with the container."""

    kind: Literal["tmpfs"] = "tmpfs"
    target: str
    size_bytes: int | None = None
    mode: int | None = None
    options: tuple[str, ...] = ()
    """Further options of the mount, in Linux' words: `uid=1000`, `gid=1000`, `exec`, `nr_inodes=100`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileMount:
    """A compose config or secret: one file, from a file of the repository (`source`) or from text (`content`)."""

    kind: Literal["file"] = "file"
    target: str
    source: str | None = None
    content: str | SecretText | None = None
    mode: int = 0o444
    uid: int | None = None
    gid: int | None = None
    secret: bool = False
    """Declared under `secrets:`, so that an engine may keep it apart from plain configuration."""


Mount = VolumeMount | BindMount | TmpfsMount | FileMount


@dataclass(frozen=True, kw_only=True, slots=True)
class Port:
    """A port of the container. `published` is what the compose file asked for on the host; runs open it only on request."""

    target: int
    protocol: str = "tcp"
    published: str | None = None
    name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """Limits and reservations; None is the engine's default."""

    cpus: float | None = None
    memory_bytes: int | None = None
    pids: int | None = None
    reserved_cpus: float | None = None
    reserved_memory_bytes: int | None = None
    shm_bytes: int | None = None
    memory_swap_bytes: int | None = None
    """Memory and swap together, at least `memory_bytes`; equal to it is no swap at all, -1 is without limit."""
    memory_swappiness: int | None = None
    """In per cent."""
    cpu_shares: int | None = None
    """Weight against other containers where cpus are scarce; 1024 is the engine's default."""
    cpuset: str | None = None
    """Cpus by number: `0-1,3`."""
    block_io_weight: int | None = None
    """From 10 to 1000."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hook:
    """A command that is run in the service's container, after its start or before its stop."""

    command: tuple[str, ...]
    user: str | None = None
    environment: Environment = field(default_factory=dict)
    working_dir: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedMounts:
    """Another service whose mounts a service has too (`volumes_from`), read-only or as they are."""

    service: str
    read_only: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """One service, or a test job's container: everything about it that a container has."""

    name: str
    image: str | None = None
    """The reference to run; None as long as `build` has not made it."""
    build: Build | None = None
    pull_policy: Literal["missing", "always", "never"] = "missing"
    platform: str | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    """None is the image's own; () is none at all."""
    environment: Environment = field(default_factory=dict)
    secret_keys: tuple[str, ...] = ()
    """Secrets of the plan that this service gets as variables of the same name."""
    working_dir: str | None = None
    user: str | None = None
    group_add: tuple[str, ...] = ()
    hostname: str | None = None
    domainname: str | None = None
    container_name: str | None = None
    """Only one more DNS name: runs never share a container's name."""
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {"default": ()})
    """The compose networks that it is on, each with its aliases there; none at all is no network but its own loopback."""
    network_of: str | None = None
    """The service whose network it shares, addresses and ports and all: `networks` is empty then."""
    ipc_of: str | None = None
    """The service whose memory segments and semaphores it shares."""
    ipc_shareable: bool = False
    """Others may name it as their `ipc_of`."""
    pid_of: str | None = None
    """The service whose processes it sees."""
    mac_address: str | None = None
    """On its only network."""
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    expose: tuple[int, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    healthcheck: Healthcheck | None = None
    healthcheck_disabled: bool = False
    mounts: tuple[Mount, ...] = ()
    volumes_from: tuple[SharedMounts, ...] = ()
    """What these services mount by the file is in `mounts` already; where an engine can, volumes of their images are shared too."""
    post_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()
    resources: Resources = Resources()
    replicas: int = 1
    restart: Restart = Restart.NO
    restart_attempts: int | None = None
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    read_only: bool = False
    init: bool = False
    tty: bool = False
    stdin_open: bool = False
    sysctls: Mapping[str, str] = field(default_factory=dict)
    ulimits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Name -> (soft, hard)."""
    stop_signal: str | None = None
    stop_grace_period: timedelta = timedelta(seconds=10)
    oom_score_adj: int | None = None
    """How soon the kernel ends it when memory is out: from 0 to 1000, which is first."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Remarks for the container's runtime that change nothing of how it is kept."""
    profiles: tuple[str, ...] = ()

    @property
    def dns_names(self) -> tuple[str, ...]:
        """Every name under which its neighbours find it: its own first, then aliases, in a stable order. None without a network."""
        if not self.networks:
            return ()
        names = [self.name, *(alias for aliases in self.networks.values() for alias in aliases)]
        names += [name for name in (self.container_name, self.hostname) if name]
        return tuple(dict.fromkeys(names))

    @property
    def required_secrets(self) -> tuple[str, ...]:
        """The secrets that it cannot do without, exactly: its variables', those in its texts and in its files."""
        texts = [value for value in self.environment.values() if isinstance(value, SecretText)]
        contents = [mount.content for mount in self.mounts if isinstance(mount, FileMount)]
        texts += [content for content in contents if isinstance(content, SecretText)]
        return tuple(dict.fromkeys((*self.secret_keys, *(name for text in texts for name in text.names))))


@dataclass(frozen=True, kw_only=True, slots=True)
class Volume:
    """A named volume of the stack; it lives and dies with the namespace."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """A network of the compose file: who shares one can talk."""

    name: str
    internal: bool = False
    ipv6: bool = False
    """Addresses of both kinds are given there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """All services of the enabled profiles, in the order of the file."""

    name: str
    services: tuple[Service, ...]
    volumes: tuple[Volume, ...] = ()
    networks: tuple[Network, ...] = (Network(name="default"),)
    suite_mounts: Mapping[str, tuple[Mount, ...]] = field(default_factory=dict)
    """What test suites that took a service's place mount, by suite: they start last, and what they share is laid out for them too."""

    def service(self, name: str) -> Service:
        """Return the service of that name. KeyError where there is none: callers have checked."""
        for service in self.services:
            if service.name == name:
                return service
        raise KeyError(name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A container that runs to its end and leaves files: one test suite.

    `workload.name` is the job's name in the namespace. `reports` and `artifacts` are globs and paths, relative to the image's working
    directory or absolute; the engine keeps what they match in every ending of the container.
    """

    workload: Service
    suite: str = "tests"
    """What people call it."""
    time_limit: timedelta
    reports: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
