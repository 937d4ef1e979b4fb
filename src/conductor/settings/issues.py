"""Issues: how long somebody has one, and how that is shown."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings

from conductor.settings.kinds import Span


class IssueSettings(BaseSettings):
    """What matters to claims."""

    claim_for: Span = Field(
        default=timedelta(hours=8),
        gt=timedelta(0),
        le=timedelta(days=7),
        description="How long a claim on an issue lasts that nobody renews; then others may have it. `7d` at most.",
    )
    claim_label: str = Field(
        default="conductor:claimed",
        max_length=50,
        pattern=r"^[^,\x00-\x1f]*$",
        description="Label of issues that somebody works on, on GitHub; empty: none.",
    )
