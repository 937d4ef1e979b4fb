"""Compose files of a checkout become a `Stack` and its account: the way in.

read -> check keys -> interpolate -> long forms -> extends -> include -> merge -> values -> account
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from conductor.compose.account import Ledger
from conductor.compose.context import Context
from conductor.compose.findings import Findings
from conductor.compose.interpolate import Variables
from conductor.compose.node import Node, Text
from conductor.compose.project import Loading
from conductor.compose.reader import Checkout
from conductor.compose.to_stack import enabled_services, to_stack
from conductor.domain.account import Entry
from conductor.domain.plan import SecretRequest
from conductor.domain.stack import Stack
from conductor.errors import ConfigurationError, Problem, RefusedError

_LAST = 10**9


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """What came of it. Where there are problems, `stack` is what could be read, and is not to be run."""

    stack: Stack
    ledger: Ledger
    problems: tuple[Problem, ...] = ()

    @property
    def account(self) -> tuple[Entry, ...]:
        """What became of every key, as far as it is the same on every engine."""
        return self.ledger.account()


def load_stack(
    checkout: Checkout,
    files: Sequence[str],
    *,
    profiles: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    secrets: Sequence[SecretRequest] = (),
    name: str,
) -> Loaded:
    """Load the files, each over the one before. Raises `ConfigurationError` with every mistake and every refusal."""
    loaded = examine(checkout, files, profiles=profiles, variables=variables, secrets=secrets, name=name)
    if loaded.problems:
        raise ConfigurationError(loaded.problems)
    return loaded


def examine(
    checkout: Checkout,
    files: Sequence[str],
    *,
    profiles: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    secrets: Sequence[SecretRequest] = (),
    env_files: Sequence[str] | None = None,
    name: str,
) -> Loaded:
    """Load as `load_stack` does, and return the account and the problems also where something is wrong.

    `env_files` are read in place of the `.env` of the project's folder, each over the one before.
    """
    loading = Loading(checkout, Findings())
    base = _project_folder(checkout, files, loading.findings)
    given = Variables({"COMPOSE_PROJECT_NAME": name, **(variables or {})}, secrets)
    around = replace(given.under(_defaults(loading, base, given, env_files)), folder=base)
    try:
        project = loading.project(files, base, around)
    except ConfigurationError as error:
        loading.findings.add(*error.problems)
        project = None
    if project is None:
        _nothing(files, loading.findings)
        return _loaded(Stack(name=name, services=()), loading, None, frozenset())
    wanted = profiles or _profiles_of(around)
    context = Context(project, loading, around, enabled_services(project, wanted))
    stack = to_stack(name, context)
    aside = frozenset(context.section("services")) - context.enabled
    return _loaded(stack, loading, project, aside)


def _profiles_of(variables: Variables) -> Sequence[str]:
    """Read COMPOSE_PROFILES, which counts where the caller names no profile."""
    written = variables.find("COMPOSE_PROFILES")
    names = written.split(",") if isinstance(written, str) else []
    return [name.strip() for name in names if name.strip()]


def _defaults(
    loading: Loading, base: str, given: Variables, env_files: Sequence[str] | None
) -> dict[str, Text]:
    """Read what variables are where nobody gives them."""
    if env_files is None:
        return dict(loading.dotenv(base, given))
    made: dict[str, Text] = {}
    for file in env_files:
        made |= loading.env_file(file, given.under(made))
    return made


def _project_folder(checkout: Checkout, files: Sequence[str], findings: Findings) -> str:
    """Return the folder of the first file: relative paths and `.env` are there."""
    if not files:
        findings.add(Problem(file="", message="no compose file was named", remedy="Name one."))
        return "."
    try:
        checkout.resolve(files[0])
    except RefusedError:
        return "."
    return posixpath.normpath(posixpath.dirname(files[0]) or ".")


def _nothing(files: Sequence[str], findings: Findings) -> None:
    if not findings.problems:
        problem = Problem(file=files[0], message="the file is empty", remedy="Begin with `services:`.")
        findings.add(problem)


def _loaded(stack: Stack, loading: Loading, project: Node | None, aside: frozenset[str]) -> Loaded:
    problems = sorted(loading.findings.problems, key=lambda p: (p.file, p.line or _LAST, p.column))
    ledger = Ledger(loading.sources, loading.findings, project, aside=aside)
    return Loaded(stack=stack, ledger=ledger, problems=tuple(problems))
