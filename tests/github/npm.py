"""What npm has of GitHub: `sh scripts/prism.sh .venv` brings it. Tests that read it skip where it is not there, and say so."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

_MODULES = Path(__file__).parents[2] / ".venv" / "npm" / "node_modules" / "@octokit"


def payloads(event: str) -> list[dict[str, Any]]:
    """Return payloads of an event that GitHub really sent (@octokit/webhooks-examples)."""
    examples = _read(_MODULES / "webhooks-examples" / "api.github.com" / "index.json")
    return [example for one in examples if one["name"] == event for example in one["examples"]]


def events() -> list[str]:
    """Name the events that there are payloads of."""
    return [
        str(one["name"]) for one in _read(_MODULES / "webhooks-examples" / "api.github.com" / "index.json")
    ]


def description() -> dict[str, Any]:
    """Return GitHub's description of its API, without references (@octokit/openapi)."""
    return dict(_read(_MODULES / "openapi" / "generated" / "api.github.com.deref.json"))


@lru_cache(maxsize=2)
def _read(file: Path) -> Any:
    if not file.exists():
        pytest.skip(f"no {file.name} of @octokit on this machine: sh scripts/prism.sh .venv")
    return json.loads(file.read_bytes())
