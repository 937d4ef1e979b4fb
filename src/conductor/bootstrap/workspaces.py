"""Workspaces: what makes them, as the settings say."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conductor.domain.environment import WorkspaceKind
    from conductor.ports.engine import Engine
    from conductor.ports.workspaces import Workspaces
    from conductor.ports.world import WorkspaceRules
    from conductor.settings import Settings


def workspaces_of(
    settings: Settings, engine: Engine, opened: AsyncExitStack
) -> Mapping[WorkspaceKind, Workspaces]:
    """Give what makes workspaces, by kind: the engine itself always does."""
    from conductor.adapters.plain.workspaces import PlainWorkspaces

    del settings, opened  # those of another system are made by its settings, and let go of here
    found: list[Workspaces] = [PlainWorkspaces(engine)]
    return {one.kind: one for one in found}


def workspace_rules(settings: Settings) -> WorkspaceRules:
    """Give what the settings decide of them."""
    from conductor.ports.world import WorkspaceRules

    return WorkspaceRules(
        image=settings.workspace_image,
        ready_within=settings.workspace_ready,
        environments=settings.secrets_environments,
    )
