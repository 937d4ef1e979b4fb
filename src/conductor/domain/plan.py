"""The plan: what a repository asks for in `.conductor.yaml`, after checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from conductor.domain.run import Cleanup

DEFAULT_TAGS = ("run-integration-tests", "run-integration-tests-*")
DEFAULT_COMPOSE = "docker-compose.qa.yml"
DEFAULT_REPORTS = ("reports/**/*.xml",)
PLAN_FILE = ".conductor.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class TestBuild:
    """How the test image is built; paths relative to the checkout."""

    __test__ = False
    context: str = "."
    dockerfile: str = "Dockerfile"
    """Relative to the context, as Compose has it."""
    target: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """One test suite. Exactly one of `build`, `image` and `service` is set."""

    name: str = "tests"
    build: TestBuild | None = None
    image: str | None = None
    service: str | None = None
    """A service of the compose file: the suite runs in its place, with its environment and mounts."""
    command: str | tuple[str, ...]
    rerun: str | tuple[str, ...] | None = None
    timeout: timedelta = timedelta(minutes=30)
    env: Mapping[str, str] = field(default_factory=dict)
    reports: tuple[str, ...] = DEFAULT_REPORTS
    artifacts: tuple[str, ...] = ()
    memory_bytes: int | None = None
    cpus: float | None = None


TESTS = "tests"
WORKSPACE = "workspace"


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretRequest:
    """A secret by its name without suffix, and who gets it. `consumers` None is everybody."""

    name: str
    consumers: tuple[str, ...] | None = None
    """`tests`, `workspace`, or names of services."""

    def is_for(self, consumer: str) -> bool:
        """Tell whether this consumer gets it."""
        return self.consumers is None or consumer in self.consumers


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkspacePlan:
    """What a development environment of this repository is made of."""

    template: str | None = None
    image: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    keep_for: timedelta = timedelta(hours=8)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All of `.conductor.yaml`, defaults filled in."""

    version: int = 1
    tags: tuple[str, ...] = DEFAULT_TAGS
    compose: tuple[str, ...] = (DEFAULT_COMPOSE,)
    profiles: tuple[str, ...] = ()
    ready_timeout: timedelta = timedelta(minutes=5)
    suites: tuple[Suite, ...] = ()
    secrets: tuple[SecretRequest, ...] = ()
    environments: tuple[str, ...] = ("dev", "qa")
    cleanup: Cleanup = Cleanup.KEEP
    keep_for: timedelta = timedelta(hours=24)
    workspace: WorkspacePlan = WorkspacePlan()
