"""Read `.conductor.yaml`: bytes to a `Plan`, or every problem of the file at once.

Pure: whether a file is there is asked of `has_file`. A suite that names no `build`, `image` or `service` is built from
`Dockerfile.test` in the repository's root where there is one, else from `Dockerfile`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import ValidationError

from conductor.documents.document import Document, Path, read_document
from conductor.domain.plan import PLAN_FILE, Plan, SecretRequest, Suite, TestBuild, WorkspacePlan
from conductor.errors import ConfigurationError, Problem
from conductor.plan.messages import problems_of
from conductor.plan.model import (
    BuildSection,
    Configuration,
    SecretSection,
    SuiteSection,
    WorkspaceSection,
)
from conductor.plan.rules import HasFile, broken_rules, default_dockerfile, suites_of, warnings_of

MAX_PROBLEMS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The plan, and what in the file is allowed but probably not meant."""

    plan: Plan
    warnings: tuple[Problem, ...] = ()


def read_plan(content: bytes, *, file: str = PLAN_FILE, has_file: HasFile) -> Plan:
    """Return the plan. Raises ConfigurationError with every problem of the file."""
    return read_plan_and_warnings(content, file=file, has_file=has_file).plan


def read_plan_and_warnings(content: bytes, *, file: str = PLAN_FILE, has_file: HasFile) -> Reading:
    """Return the plan with the warnings. Raises ConfigurationError with every problem of the file."""
    document = _mapping(content, file)
    problems = list(islice(broken_rules(document, has_file), MAX_PROBLEMS))
    configuration = _validated(document, document.data, problems)
    if configuration is None or problems:
        raise ConfigurationError(sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return Reading(plan=_plan(configuration, has_file), warnings=tuple(warnings_of(document)))


_TRUSTED = ("version", "triggers", "secrets", "environments", "workspace")


def read_trusted_plan(content: bytes, *, file: str = PLAN_FILE) -> Plan:
    """Return what the default branch's file says of security's business, for `trust.restrict`; the rest of it is not looked at.

    So a commit that moves its Dockerfile, or mends a mistake of the default branch, can be tested.
    """
    document = _mapping(content, file)
    problems: list[Problem] = []
    kept = {key: value for key, value in document.data.items() if key in _TRUSTED}
    configuration = _validated(document, kept, problems)
    if configuration is None:
        raise ConfigurationError(problems)
    return _plan(configuration, lambda _: False)


def _mapping(content: bytes, file: str) -> Document:
    document = read_document(content, file=file)
    if isinstance(document.data, dict):
        return document
    what = "the file is empty" if document.data is None else "the file must be a mapping"
    remedy = "Start with `version: 1`, or let `conductor init` write it."
    raise ConfigurationError([document.problem((), what, remedy=remedy)])


def _validated(document: Document, data: Any, problems: list[Problem]) -> Configuration | None:
    try:
        return Configuration.model_validate(_with_texts(document, data))
    except ValidationError as error:
        problems += islice(problems_of(error, document), MAX_PROBLEMS)
        return None


def _with_texts(document: Document, data: dict[str, Any]) -> dict[str, Any]:
    """Put numbers and booleans back as they are written where text is meant (`PORT: 3001`, `VERSION: 1.10`, `[sleep, 5]`)."""
    for path, suite in suites_of(data):
        _as_written(document, suite, path, ("env", "command", "rerun"))
        if isinstance(suite.get("build"), dict):
            _as_written(document, suite["build"], (*path, "build"), ("args",))
    if isinstance(data.get("workspace"), dict):
        _as_written(document, data["workspace"], ("workspace",), ("parameters",))
    return data


def _as_written(document: Document, holder: dict[str, Any], path: Path, keys: tuple[str, ...]) -> None:
    for key in keys:
        values = holder.get(key)
        items: Any = (
            values.items()
            if isinstance(values, dict)
            else enumerate(values)
            if isinstance(values, list)
            else ()
        )
        for part, value in list(items):
            if isinstance(value, bool | int | float):
                holder[key][part] = document.written((*path, key, part))


def _plan(configuration: Configuration, has_file: HasFile) -> Plan:
    return Plan(
        version=configuration.version,
        tags=tuple(configuration.triggers.tags),
        compose=tuple(configuration.stack.compose),
        profiles=tuple(configuration.stack.profiles),
        ready_timeout=configuration.stack.ready_timeout,
        suites=tuple(_suite(suite, has_file) for suite in configuration.tests),
        secrets=tuple(_secret(secret) for secret in configuration.secrets),
        environments=tuple(configuration.environments),
        cleanup=configuration.cleanup,
        keep_for=configuration.keep_for,
        workspace=_workspace(configuration.workspace),
    )


def _suite(suite: SuiteSection, has_file: HasFile) -> Suite:
    return Suite(
        name=suite.name,
        build=_build(suite, has_file),
        image=suite.image,
        service=suite.service,
        command=suite.command,
        rerun=suite.rerun,
        timeout=suite.timeout,
        env=suite.env,
        reports=tuple(suite.reports),
        artifacts=tuple(suite.artifacts),
        memory_bytes=suite.memory,
        cpus=suite.cpus,
    )


def _build(suite: SuiteSection, has_file: HasFile) -> TestBuild | None:
    if suite.image or suite.service:
        return None
    build = suite.build or BuildSection(dockerfile=default_dockerfile(has_file))
    return TestBuild(context=build.context, dockerfile=build.dockerfile, target=build.target, args=build.args)


def _secret(secret: SecretSection) -> SecretRequest:
    consumers = None if secret.consumers is None else tuple(dict.fromkeys(secret.consumers))
    return SecretRequest(name=secret.name, consumers=consumers)


def _workspace(workspace: WorkspaceSection) -> WorkspacePlan:
    parameters: Mapping[str, str] = workspace.parameters
    return WorkspacePlan(
        template=workspace.template, image=workspace.image, parameters=parameters, keep_for=workspace.keep_for
    )
