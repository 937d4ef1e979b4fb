"""prepare-environment: what the default branch's file and the settings allow this environment to be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from conductor.domain.environment import Environment, EnvironmentStatus
from conductor.domain.plan import PLAN_FILE, WORKSPACE, Plan
from conductor.durable import executor, step
from conductor.errors import RefusedError
from conductor.ports.world import the_world
from conductor.steps.environments.record import record, workspaces_of
from conductor.steps.read_plan import trusted_plan


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What the following steps go by."""

    plan: Plan
    image: str
    secret_keys: tuple[str, ...] = ()
    keep_for: timedelta


@step("prepare-environment")
async def prepare(environment: Environment) -> Prepared:
    """Read the file of the default branch and nowhere else. RefusedError for what it or the settings do not allow."""
    world = the_world()
    await record(environment, executor=executor(), status=EnvironmentStatus.PROVISIONING)
    workspaces_of(world, environment)
    trusted = await trusted_plan(environment.source)
    plan = trusted or Plan()
    wanted = environment.environment
    keys = tuple(secret.name for secret in plan.secrets if secret.is_for(WORKSPACE))
    if wanted not in plan.environments or (keys and wanted not in world.workspace.environments):
        raise RefusedError(
            f"the environment {wanted!r} is not allowed for {environment.repository}",
            remedy=f"Ask for one of {', '.join(plan.environments)}, or have it allowed in the default branch's {PLAN_FILE}"
            " and the server's settings.",
        )
    return Prepared(
        plan=plan,
        image=_image(plan),
        secret_keys=keys,
        keep_for=environment.keep_for or plan.workspace.keep_for,
    )


def _image(plan: Plan) -> str:
    image = plan.workspace.image or the_world().workspace.image
    if not image:
        raise RefusedError(
            "no image is named for workspaces",
            remedy=f"Name one as workspace.image in the default branch's {PLAN_FILE}, or as CONDUCTOR_WORKSPACE_IMAGE.",
        )
    return image
