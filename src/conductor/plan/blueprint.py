"""Draw up the blueprint of a checkout: its plan, its compose files, its suites. Reads through the confined reader and nothing else.

Errors: ConfigurationError with every problem of the files; the caller adds what its engine cannot do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from posixpath import join, normpath

from conductor.compose.load import Loaded, examine
from conductor.compose.reader import Checkout
from conductor.domain.blueprint import Blueprint, ImageBuild
from conductor.domain.names import job_name
from conductor.domain.plan import PLAN_FILE, TESTS, Plan, SecretRequest, Suite
from conductor.domain.stack import Build, Job, Resources, Restart, Service, Stack
from conductor.errors import ConfigurationError, Problem
from conductor.plan.draft import Draft
from conductor.plan.read import Reading, read_plan_and_warnings
from conductor.plan.trust import restrict
from conductor.ports.engine import Renderer

COMMON_ENVIRONMENT: Mapping[str, str] = {"CI": "true", "CONDUCTOR": "true"}


def read_own_plan(checkout: Checkout) -> Reading:
    """Read the checkout's own `.conductor.yaml`, with what in it is probably not meant."""
    if not checkout.exists(PLAN_FILE):
        raise ConfigurationError(
            [
                Problem(
                    file=PLAN_FILE,
                    message="there is no such file",
                    remedy="`conductor init` writes a first one.",
                )
            ]
        )
    return read_plan_and_warnings(checkout.read(PLAN_FILE), file=PLAN_FILE, has_file=checkout.exists)


def draw_up(
    checkout: Checkout,
    *,
    name: str,
    trusted: Plan | None,
    variables: Mapping[str, str],
    environment: str | None = None,
    engine: Renderer | None = None,
) -> Blueprint:
    """Work out everything that a run of this checkout will make. `trusted` is the default branch's plan, None where it has none.

    What `engine` refuses is a problem too, at the key that asked for it.
    """
    drafted = draft_of(checkout, name=name, trusted=trusted, variables=variables, environment=environment)
    refuse(drafted, engine)
    return blueprint_of(drafted, [engine] if engine else ())


def draft_of(
    checkout: Checkout,
    *,
    name: str,
    trusted: Plan | None,
    variables: Mapping[str, str],
    environment: str | None = None,
) -> Draft:
    """Work out a checkout's draft. Raises ConfigurationError for mistakes; what is refused is left out of the stack, and is in `loaded`."""
    plan, notes = restrict(read_own_plan(checkout).plan, trusted)
    if environment is not None and environment not in plan.environments:
        allowed = ", ".join(plan.environments) or "none"
        raise ConfigurationError([
            Problem(
                file=PLAN_FILE,
                message=f"this repository may not ask for the environment {environment!r} (allowed: {allowed})",
                remedy="Name another one with --env, or add it to `environments` on the default branch.",
            )
        ])  # fmt: skip
    loaded = examine(
        checkout, plan.compose, profiles=plan.profiles, variables=variables, secrets=plan.secrets, name=name
    )
    if not all(problem.refused for problem in loaded.problems):
        raise ConfigurationError(loaded.problems)
    return replace(draft(checkout, plan, loaded), notes=tuple(notes))


def refuse(drafted: Draft, engine: Renderer | None) -> None:
    """Raise ConfigurationError with all that is refused, everywhere or on this engine."""
    problems = [*drafted.loaded.problems, *(drafted.problems_on(engine) if engine else ())]
    if problems:
        raise ConfigurationError(sorted(problems, key=lambda p: (p.file, p.line, p.column)))


def blueprint_of(drafted: Draft, engines: Sequence[Renderer]) -> Blueprint:
    """Make the blueprint of a draft in which nothing is refused; the account is of these engines."""
    assert drafted.plan is not None, "a run has a plan"  # noqa: S101
    return Blueprint(
        plan=drafted.plan,
        stack=drafted.stack,
        jobs=drafted.jobs,
        images=_images(drafted.stack, drafted.jobs),
        notes=drafted.notes,
        account=drafted.account(engines),
    )


def draft(checkout: Checkout, plan: Plan, loaded: Loaded) -> Draft:
    """Take the suites out of the stack and make their jobs. Raises ConfigurationError where plan and compose files do not fit."""
    jobs = tuple(_job(suite, loaded.stack, plan.secrets) for suite in plan.suites)
    stack = _without(loaded.stack, {suite.service for suite in plan.suites if suite.service})
    mounts = {job.suite: job.workload.mounts for job in jobs if job.workload.mounts}
    stack = replace(stack, suite_mounts=mounts)
    return Draft(checkout=checkout, loaded=loaded, stack=stack, jobs=jobs, plan=plan)


def _job(suite: Suite, stack: Stack, secrets: Sequence[SecretRequest]) -> Job:
    base = _workload(suite, stack)
    entrypoint, command = entrypoint_and_command(suite.command)
    workload = replace(
        base,
        name=job_name(suite.name),
        environment={**COMMON_ENVIRONMENT, **base.environment, **suite.env},
        secret_keys=tuple(dict.fromkeys([*base.secret_keys, *(s.name for s in secrets if s.is_for(TESTS))])),
        restart=Restart.NO,
        replicas=1,
        ports=(),
        depends_on=(),
        healthcheck=None,
        entrypoint=entrypoint,
        command=command,
    )
    if suite.memory_bytes or suite.cpus:
        limits = replace(
            workload.resources,
            memory_bytes=suite.memory_bytes or workload.resources.memory_bytes,
            cpus=suite.cpus or workload.resources.cpus,
        )
        workload = replace(workload, resources=limits)
    return Job(
        workload=workload,
        time_limit=suite.timeout,
        reports=suite.reports,
        artifacts=suite.artifacts,
        suite=suite.name,
    )


def entrypoint_and_command(command: str | tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Put the command in place of the image's entry point: a string is run by the image's shell, a list as it stands."""
    if isinstance(command, str):
        return ("sh", "-c"), (command,)
    return command[:1], command[1:]


def _workload(suite: Suite, stack: Stack) -> Service:
    networks: dict[str, tuple[str, ...]] = {network.name: () for network in stack.networks}
    if suite.service:
        try:
            return stack.service(suite.service)
        except KeyError:
            known = ", ".join(service.name for service in stack.services)
            message = f"tests.service names {suite.service!r}, which no compose file has (they have: {known})"
            raise ConfigurationError([Problem(file=PLAN_FILE, message=message)]) from None
    if suite.image:
        return Service(name=suite.name, image=suite.image, networks=networks, resources=Resources())
    asked = suite.build
    assert asked is not None, "the reader of the plan lets one of the three through"  # noqa: S101
    build = Build(
        context=normpath(asked.context),
        dockerfile=normpath(join(asked.context, asked.dockerfile)),
        target=asked.target,
        args=asked.args,
    )
    return Service(name=suite.name, build=build, networks=networks)


def _without(stack: Stack, names: set[str]) -> Stack:
    """Take the services out that are test suites; nothing else may wait for one of them."""
    kept = tuple(service for service in stack.services if service.name not in names)
    problems = [
        Problem(
            file=PLAN_FILE,
            message=f"{service.name} depends on {dependency.service}, which is a test suite and starts last",
            remedy="Let the suite depend on the service, not the other way round.",
        )
        for service in kept
        for dependency in service.depends_on
        if dependency.service in names
    ]
    if problems:
        raise ConfigurationError(problems)
    return replace(stack, services=kept)


def _images(stack: Stack, jobs: Sequence[Job]) -> tuple[ImageBuild, ...]:
    """One build for each different one; who asks for the very same shares it."""
    asked = [(service.name, service.name, service.build) for service in stack.services]
    asked += [(f"tests/{job.workload.name}", job.workload.name, job.workload.build) for job in jobs]
    images: list[ImageBuild] = []
    for name, user, build in asked:
        if build is None:
            continue
        same = next((i for i, image in enumerate(images) if image.build == build), None)
        if same is None:
            images.append(ImageBuild(name=name, build=build, users=(user,)))
        else:
            images[same] = replace(images[same], users=(*images[same].users, user))
    return tuple(images)
