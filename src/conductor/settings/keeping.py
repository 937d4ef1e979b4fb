"""What is kept of runs that are over, and what things cost."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings

from conductor.settings.kinds import Bytes, Span


class KeepingSettings(BaseSettings):
    """What matters to retention and to reckoning."""

    keep_evidence_for: Span | None = Field(
        default=None,
        description="How long logs and artifacts stay after the end of their run, such as `30d`; not set: for ever. Verdicts, tests and "
        "reports stay, and so does everything of a run that is at work or whose stack is kept.",
    )
    keep_evidence_bytes: Bytes | None = Field(
        default=None,
        description="How much logs and artifacts may take together, such as `50Gi`: beyond that the oldest go. Not set: without limit.",
    )
    price_cpu_hour: float | None = Field(
        default=None,
        ge=0,
        description="What an hour of one reserved cpu costs; not set: only amounts are shown.",
    )
    price_gib_hour: float | None = Field(
        default=None, ge=0, description="What an hour of one reserved GiB of memory costs."
    )
    currency: str = Field(
        default="", max_length=10, description="What prices are in, such as `EUR`: shown as it stands."
    )
