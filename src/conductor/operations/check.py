"""Check a repository's files, without an engine and without a run: what is wrong, and what a run would make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from conductor.compose.reader import Checkout
from conductor.domain.blueprint import Blueprint
from conductor.domain.names import slug
from conductor.errors import Problem
from conductor.plan.blueprint import draw_up, read_own_plan


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """The blueprint of a run of this folder, as it lies there, and what in its plan is allowed but probably not meant."""

    folder: Path
    blueprint: Blueprint
    warnings: tuple[Problem, ...] = ()


def check(folder: Path, *, variables: Mapping[str, str] | None = None) -> CheckResult:
    """Read everything. Raises ConfigurationError with every problem; the folder's own file counts as trusted here."""
    root = folder.absolute()
    checkout = Checkout(root)
    own = read_own_plan(checkout)
    blueprint = draw_up(checkout, name=slug(root.name), trusted=own.plan, variables=variables or {})
    return CheckResult(folder=root, blueprint=blueprint, warnings=own.warnings)
