"""The world: one bundle of all ports, which `bootstrap` installs at launch and through which steps reach the outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from conductor.domain.budget import Budget
from conductor.domain.cost import Tariff
from conductor.domain.environment import WorkspaceKind
from conductor.domain.retention import Retention
from conductor.domain.scan import Severity
from conductor.ports.attestation import Attester
from conductor.ports.builder import Builder
from conductor.ports.clock import Clock
from conductor.ports.dashboards import Dashboards
from conductor.ports.engine import Engine
from conductor.ports.environments import Environments
from conductor.ports.evidence import Evidence
from conductor.ports.forge import Forge
from conductor.ports.history import History
from conductor.ports.news import News
from conductor.ports.registry import Registry
from conductor.ports.secrets import Secrets
from conductor.ports.store import Store
from conductor.ports.usage import Meter
from conductor.ports.workflows import Workflows
from conductor.ports.workspaces import Workspaces


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkspaceRules:
    """What the settings say of workspaces."""

    image: str = ""
    """The prebuilt image where the default branch's file names none."""
    kind: WorkspaceKind = WorkspaceKind.PLAIN
    """What makes them where nothing else is asked for."""
    hosts: tuple[str, ...] | None = None
    """Where workspaces may connect to: None is the engine's rule, () nowhere, else names of hosts."""
    ready_within: timedelta = timedelta(minutes=10)
    environments: tuple[str, ...] = ("dev", "qa")
    """Which suffixes of secrets may be asked for, whatever a repository's file allows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Everything outside, once."""

    engine: Engine
    builder: Builder
    forge: Forge
    store: Store
    evidence: Evidence
    secrets: Secrets
    clock: Clock
    budget: Budget = field(default_factory=Budget)
    registry: Registry | None = None
    """None where images stay in the engine."""
    history: History | None = None
    """None where nothing is remembered from one run to the next."""
    tariff: Tariff = field(default_factory=Tariff)
    retention: Retention = field(default_factory=Retention)
    attester: Attester | None = None
    """None where images get neither SBOM nor signature."""
    workflows: Workflows | None = None
    """None where no forge is connected that has workflows."""
    scan_gate: Severity | None = None
    """What a scan finds that is at least so bad lets no run pass."""
    meter: Meter | None = None
    """None where nobody can tell what a stack uses."""
    dashboards: Dashboards | None = None
    """None where there is no Grafana."""
    environments: Environments | None = None
    """None where nobody asks for one."""
    workspaces: Mapping[WorkspaceKind, Workspaces] = field(default_factory=dict)
    workspace: WorkspaceRules = field(default_factory=WorkspaceRules)
    news: News = field(default_factory=News)
    """Of what this process puts on record."""


_installed: list[World] = []


def install(world: World | None) -> None:
    """Make it the world of this process; None takes it away."""
    _installed[:] = [world] if world else []


def the_world() -> World:
    """Return it. A step that runs before `install` is a mistake of ours."""
    if not _installed:
        raise RuntimeError("no world is installed: bootstrap.launch() comes first")
    return _installed[0]
