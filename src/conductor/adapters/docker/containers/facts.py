"""What the adapter knows before it says anything: of the engine, and of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from conductor.domain.stack import Healthcheck

Config = dict[str, Any]
Kind = Literal["service", "job"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineFacts:
    """What differs between engines."""

    podman: bool = False
    selinux: bool = False
    init: bool = True
    hard_limits: Mapping[str, int] | None = None
    """Above these the engine cannot start a container; None where it may raise them."""
    local: bool = False
    """It runs on this machine, under its kernel, and its files are ours to look at."""
    rootless: bool = False

    @property
    def networks_reachable(self) -> bool:
        """Whether this machine reaches containers by their own addresses."""
        return self.local and not self.rootless


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFacts:
    """What an image says about itself."""

    command: tuple[str, ...] = ()
    healthcheck: Healthcheck | None = None
    working_dir: str = "/"
