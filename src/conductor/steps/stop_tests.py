"""stop-tests: suites that nobody waits for any more get their grace, and what they have written until then is read."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from conductor.domain.blueprint import Blueprint
from conductor.domain.results import Ending
from conductor.domain.run import Run
from conductor.domain.stack import Job
from conductor.domain.states import Phase
from conductor.domain.verdict import Outcome, Reason, Verdict
from conductor.durable import step
from conductor.errors import ConductorError
from conductor.ports.world import the_world
from conductor.steps.place import find_blueprint, place_of
from conductor.steps.read_results import keep_results

GRACE = timedelta(seconds=10)


@step("stop-tests")
async def stop_tests(run: Run, outcome: Outcome) -> None:
    """End the jobs without a result, side by side. `outcome` is the run's: it says whether its suites were cancelled or superseded."""
    blueprint = await find_blueprint(run)
    if blueprint is None:
        return
    known = {result.suite for result in await the_world().store.results(run.id, run.attempt)}
    by = Reason.SUPERSEDED if outcome.verdict is Verdict.SUPERSEDED else Reason.CANCELLED
    left = [job for job in blueprint.jobs if job.suite not in known]
    await asyncio.gather(*(_stop(run, blueprint, job, by) for job in left))


async def _stop(run: Run, blueprint: Blueprint, job: Job, by: Reason) -> None:
    engine, place, name = the_world().engine, place_of(run), job.workload.name
    try:
        before = (await engine.states(place)).get(name)
        if before is None:
            return
        ended_by = None if before.phase is Phase.ENDED else by
        await engine.stop(place, name, grace=GRACE)
        ending = Ending(state=(await engine.states(place)).get(name, before))
        await keep_results(run, blueprint, job.suite, ending, ended_by=ended_by)
    except ConductorError:
        return  # the engine is gone, and the job with it or out of reach; what captures the logs says so
