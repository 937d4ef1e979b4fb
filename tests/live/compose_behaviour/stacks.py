"""The stacks of this folder as the tests read them: which services there are, what each is there to show, and what depends on what."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
COMPOSE = "compose.yaml"
UNIQUE = f"behaviour-{uuid.uuid4().hex[:8]}"
"""For names that are there once on a machine."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One service, and the rule that it is there to show."""

    stack: str
    service: str
    says: str
    asks: Mapping[str, Sequence[str]]
    shows: Mapping[str, str]
    """Facts that must be seen on both sides: what Compose's documentation promises, so that two wrong answers are no agreement."""
    conditions: Mapping[str, str]
    """Condition by the service that is depended on."""

    def __str__(self) -> str:
        return f"{self.stack}/{self.service}"


def rules(stack: str) -> list[Rule]:
    """Read the rules of one stack, those of included files among them."""
    return list(_rules(stack, FOLDER / stack / COMPOSE))


def checked_services(stack: str) -> list[str]:
    """Name the services of a stack that have a health check."""
    project = yaml.safe_load((FOLDER / stack / COMPOSE).read_text())
    return [name for name, service in project["services"].items() if "healthcheck" in service]


def _rules(stack: str, file: Path) -> Iterator[Rule]:
    project = yaml.safe_load(file.read_text().replace("${UNIQUE}", UNIQUE))
    for name, service in project["services"].items():
        if "x-rule" in service:
            yield _rule(stack, name, service)
    for included in project.get("include", ()):
        yield from _rules(stack, file.parent / included)


def _rule(stack: str, name: str, service: Mapping[str, Any]) -> Rule:
    return Rule(
        stack=stack,
        service=name,
        says=service["x-rule"],
        asks=service.get("x-asks") or {},
        shows={fact: text.replace("$$", "$") for fact, text in (service.get("x-shows") or {}).items()},
        conditions=_conditions(service.get("depends_on") or {}),
    )


def _conditions(depends_on: Mapping[str, Any] | Sequence[str]) -> dict[str, str]:
    if isinstance(depends_on, list):
        return dict.fromkeys(depends_on, "service_started")
    return {name: wish["condition"] for name, wish in depends_on.items()}
