"""The budget: how much of a platform one Conductor may hold at a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """None is no limit."""

    namespaces: int | None = None
    """Stacks that stand at the same time, those of runs at work and those that are kept."""
    images: int | None = None
    """Test images of each name that the registry keeps."""
