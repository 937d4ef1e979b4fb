"""Check a repository's files, without an engine and without a run: what is wrong, and what a run would make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conductor.compose.reader import Checkout
from conductor.domain.blueprint import Blueprint
from conductor.domain.names import slug
from conductor.errors import Problem
from conductor.plan.blueprint import blueprint_of, draft_of, read_own_plan, refuse
from conductor.ports.engine import Renderer


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """The blueprint of a run of this folder, as it lies there, and what in its plan is allowed but probably not meant."""

    folder: Path
    blueprint: Blueprint
    warnings: tuple[Problem, ...] = ()
    elsewhere: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    """What the engines that are not in use would refuse, by their names; those that would take it all are not there."""


def check(
    folder: Path,
    *,
    variables: Mapping[str, str] | None = None,
    engines: Sequence[Renderer] = (),
    engine: str = "",
) -> CheckResult:
    """Read everything. Raises ConfigurationError with every problem; the folder's own file counts as trusted here.

    `engine` names the one in use among `engines`: what it refuses is a problem, what the others refuse is worth knowing.
    """
    root = folder.absolute()
    checkout = Checkout(root)
    own = read_own_plan(checkout)
    drafted = draft_of(checkout, name=slug(root.name), trusted=own.plan, variables=variables or {})
    refuse(drafted, next((one for one in engines if one.name == engine), None))
    others = {one.name: drafted.problems_on(one) for one in engines if one.name != engine}
    return CheckResult(
        folder=root,
        blueprint=blueprint_of(drafted, engines),
        warnings=own.warnings,
        elsewhere={name: problems for name, problems in others.items() if problems},
    )
