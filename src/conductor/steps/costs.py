"""What a run comes to, from its own records. No step: `write-report` asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from conductor.domain.cost import Cost, cost_of_run
from conductor.domain.results import SuiteResult
from conductor.domain.run import Run
from conductor.ports.world import the_world
from conductor.steps.place import find_blueprint

_TAKES_ITS_PLACE = ("create-namespace", "hold-stack")


async def cost_of(run: Run, suites: Sequence[SuiteResult], *, until: datetime) -> Cost | None:
    """Count from when this attempt took its place; None where it never did."""
    world = the_world()
    blueprint = await find_blueprint(run)
    steps = await world.store.steps(run.id, run.attempt)
    since = min((one.started_at for one in steps if one.name in _TAKES_ITS_PLACE), default=None)
    if blueprint is None or since is None:
        return None
    ran = {suite.suite: timedelta(seconds=suite.seconds) for suite in suites}
    return cost_of_run(blueprint, until - since, world.tariff, suites=ran)
