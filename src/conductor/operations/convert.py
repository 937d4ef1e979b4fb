"""Convert a folder's compose files, without an engine and without a run: what an engine would be told, and the account of every key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conductor.compose.load import Loaded, examine
from conductor.compose.reader import Checkout
from conductor.domain.account import Entry
from conductor.domain.names import slug
from conductor.domain.plan import DEFAULT_COMPOSE, PLAN_FILE, Plan
from conductor.domain.stack import Stack
from conductor.errors import NotFoundError, Problem
from conductor.plan.blueprint import draft, read_own_plan
from conductor.plan.draft import Draft
from conductor.ports.engine import Place, Renderer

USUAL_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""Those that Compose looks for, the first that is there (compose-spec, 03-compose-file); with its override laid over it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConvertRequest:
    """What to convert. Without `files` it is what a run of the folder would raise, with its test suites."""

    folder: Path
    files: tuple[str, ...] = ()
    """Relative to the folder, each laid over the one before."""
    profiles: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    env_files: tuple[str, ...] | None = None
    namespace: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """What came of it. Where there are `mistakes` there is nothing in `objects`; `refused` is what the objects leave out."""

    engine: str
    namespace: str
    files: tuple[str, ...]
    stack: Stack
    objects: Sequence[Mapping[str, object]]
    account: tuple[Entry, ...]
    mistakes: tuple[Problem, ...] = ()
    refused: tuple[Problem, ...] = ()


def convert(request: ConvertRequest, *, engine: str, engines: Sequence[Renderer]) -> Conversion:
    """Convert for one engine; the account is of all of them. Raises ConfigurationError where `.conductor.yaml` is wrong."""
    checkout = Checkout(request.folder.absolute())
    plan = read_own_plan(checkout).plan if checkout.exists(PLAN_FILE) else None
    files = request.files or (plan.compose if plan else usual_files(checkout))
    loaded = load(checkout, request, files, plan)
    mistakes = tuple(problem for problem in loaded.problems if not problem.refused)
    drafted = Draft(checkout=checkout, loaded=loaded, stack=loaded.stack)
    if plan and not request.files and not mistakes:
        drafted = draft(checkout, plan, loaded)
    renderer = next(one for one in engines if one.name == engine)
    namespace = request.namespace or namespace_of(checkout, loaded)
    place = Place(namespace=namespace, run=namespace, checkout=str(checkout.root))
    return Conversion(
        engine=engine,
        namespace=namespace,
        files=tuple(files),
        stack=drafted.stack,
        objects=() if mistakes else renderer.render(place, drafted.stack, drafted.jobs),
        account=drafted.account(engines),
        mistakes=mistakes,
        refused=tuple(sorted({*loaded.problems, *drafted.problems_on(renderer)} - {*mistakes}, key=_place)),
    )


def _place(problem: Problem) -> tuple[str, int, int, str]:
    return problem.file, problem.line, problem.column, problem.message


def load(checkout: Checkout, request: ConvertRequest, files: Sequence[str], plan: Plan | None) -> Loaded:
    """Load the files as a run would, with what was asked for besides."""
    return examine(
        checkout,
        files,
        profiles=(*(plan.profiles if plan else ()), *request.profiles),
        variables=request.variables,
        secrets=plan.secrets if plan else (),
        env_files=request.env_files,
        name=slug(checkout.root.name),
    )


def usual_files(checkout: Checkout) -> tuple[str, ...]:
    """Find the compose files of a folder without `.conductor.yaml`. Raises NotFoundError where there are none."""
    for name in (DEFAULT_COMPOSE, *USUAL_FILES):
        if checkout.exists(name):
            stem, _, suffix = name.rpartition(".")
            others = [f"{stem}.override.{end}" for end in dict.fromkeys((suffix, "yaml", "yml"))]
            overrides = [other for other in others if name in USUAL_FILES and checkout.exists(other)]
            return (name, *overrides[:1])
    raise NotFoundError(
        f"there is no compose file in {checkout.root}",
        remedy=f"Name one with -f (looked for: {', '.join((DEFAULT_COMPOSE, *USUAL_FILES))}).",
    )


def namespace_of(checkout: Checkout, loaded: Loaded) -> str:
    """Name the namespace: by the project's `name`, else by the folder."""
    project = loaded.ledger.project
    named = project.get("name") if project else None
    return slug(named.value if named and isinstance(named.value, str) else checkout.root.name)
