"""The reference page of all settings."""

from __future__ import annotations

from enum import StrEnum
from typing import get_args

from conductor.settings.whole import PREFIX, Settings


def reference() -> str:
    """Write the reference page of all settings."""
    lines = [
        "# Settings",
        "",
        "Conductor is set by environment variables. Each has a default that works on one machine.",
        "",
        "<!-- Generated from src/conductor/settings; a test compares them. -->",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        lines.append(
            f"| `{PREFIX}{name.upper()}` | {_default(name)} | {_meaning(name, field.description or '')} |"
        )
    return "\n".join(lines) + "\n"


def _default(name: str) -> str:
    told = {
        "state": "`$XDG_STATE_HOME/conductor`, else `~/.local/state/conductor`",
        "instance": "from machine and state folder",
        "claim_for": "`8h`",
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
