"""Workspaces of development environments: of which image, by what, and where they may connect to."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings

from conductor.settings.kinds import Span


class WorkspaceSettings(BaseSettings):
    """What matters to development environments."""

    workspace_image: str = Field(
        default="",
        description="Prebuilt image of workspaces where the default branch's file names none. It needs git and a shell.",
    )
    workspace_ready: Span = Field(
        default=timedelta(minutes=10),
        gt=timedelta(0),
        description="How long a workspace may take to get ready.",
    )
