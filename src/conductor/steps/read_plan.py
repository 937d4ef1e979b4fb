"""read-plan: `.conductor.yaml` and the compose files become the blueprint, or a list of everything that is wrong with them."""

from __future__ import annotations

from conductor.compose.reader import Checkout
from conductor.domain.blueprint import Blueprint
from conductor.domain.event import Kind
from conductor.domain.names import slug
from conductor.domain.plan import PLAN_FILE, Plan
from conductor.domain.run import Run, Source
from conductor.durable import step
from conductor.plan.blueprint import draw_up
from conductor.plan.read import read_trusted_plan
from conductor.ports.world import the_world
from conductor.steps.place import checkout_at_hand, keep_blueprint
from conductor.steps.tell import tell


@step("read-plan")
async def read_plan(run: Run) -> Blueprint:
    """Draw the blueprint up and ask the engine whether it can do all of it."""
    world = the_world()
    trusted = await trusted_plan(run.source)
    blueprint = draw_up(
        Checkout(await checkout_at_hand(run)),
        name=slug(run.repository),
        trusted=trusted,
        variables=dict(run.variables),
        environment=run.environment,
        engine=world.engine,
    )
    await keep_blueprint(run, blueprint)
    for number, text in enumerate(blueprint.notes):
        await tell(run, Kind.NOTE, key=f"plan/{number}", text=text)
    return blueprint


async def trusted_plan(source: Source) -> Plan | None:
    """Read the default branch's file: what is security's business is taken from there and nowhere else."""
    file = await the_world().forge.trusted_file(source, PLAN_FILE)
    if file.text is None:
        return None
    label = f"{PLAN_FILE} ({file.branch})" if file.branch else PLAN_FILE
    return read_trusted_plan(file.text.encode(), file=label)
