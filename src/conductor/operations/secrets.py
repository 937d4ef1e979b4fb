"""Secrets of a repository: which names are needed by whom, from which secret on GitHub; and the workflow that brings them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from conductor.domain.names import variable_for
from conductor.domain.plan import WORKSPACE
from conductor.errors import ConflictError, NotFoundError, RefusedError
from conductor.operations.check import check
from conductor.ports.workflows import SYNC_FILE

WORKFLOWS = Path(".github") / "workflows"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedSecret:
    """One secret in one environment: its name in the plan, its name on GitHub, and who gets it."""

    environment: str
    name: str
    github: str
    consumers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """Where the workflow is, and whether that has changed anything."""

    file: Path
    changed: bool


def plan(folder: Path) -> Sequence[PlannedSecret]:
    """Return what the folder's files ask for, environment by environment. ConfigurationError with every mistake in them.

    On a server the default branch's file decides: a commit may ask for less than that, never for more.
    """
    blueprint = check(folder).blueprint
    consumers = {who: set(keys) for who, keys in blueprint.secret_consumers.items()}
    consumers[WORKSPACE] = {one.name for one in blueprint.plan.secrets if one.is_for(WORKSPACE)}
    return [
        PlannedSecret(
            environment=environment,
            name=one.name,
            github=variable_for(one.name, environment),
            consumers=tuple(who for who, keys in consumers.items() if one.name in keys),
        )
        for environment in blueprint.plan.environments
        for one in blueprint.plan.secrets
    ]


def workflow() -> str:
    """Return the workflow that brings secrets: the same for every repository."""
    return (files("conductor.operations") / SYNC_FILE).read_text(encoding="utf-8")


def install(folder: Path, *, force: bool = False) -> Installed:
    """Write the workflow into a repository's folder. ConflictError where something else bears its name; `force` writes over it."""
    root = folder.absolute()
    if not root.is_dir():
        raise NotFoundError(f"{root} is no folder", remedy="Name the repository's folder.")
    target = root / WORKFLOWS / SYNC_FILE
    if not target.resolve().is_relative_to(root.resolve()):
        raise RefusedError(f"{target} leads out of the repository", remedy="Take the symbolic link away.")
    text = workflow()
    there = target.read_text(encoding="utf-8", errors="replace") if target.exists() else ""
    if there and there != text and not force and there.splitlines()[0] != text.splitlines()[0]:
        raise ConflictError(
            f"{target} is there already, and not of Conductor",
            remedy="Rename it, or write over it with --force.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return Installed(file=target, changed=there != text)
