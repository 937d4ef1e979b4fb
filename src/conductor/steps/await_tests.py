"""await-tests: until the job of one suite has ended, by itself, by its time limit, or by being taken away."""

from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta

from conductor.domain.blueprint import Blueprint
from conductor.domain.results import Ending
from conductor.domain.run import Run
from conductor.domain.stack import Job
from conductor.domain.states import Phase, WorkloadState
from conductor.domain.verdict import Fault, Reason
from conductor.durable import step
from conductor.ports.world import the_world
from conductor.steps.follow_logs import following_logs
from conductor.steps.measuring import measuring
from conductor.steps.place import place_of, secrets_at_hand
from conductor.steps.ticking import ticking

_GRACE = timedelta(seconds=10)


@step("await-tests", subject=lambda _run, _blueprint, suite: suite)
async def await_tests(run: Run, blueprint: Blueprint, suite: str) -> Ending:
    """Return how it ended. The limit counts from the container's own start, so that time without Conductor counts too."""
    world = the_world()
    job = blueprint.job(suite)
    name = job.workload.name
    stopped = False
    mask = await secrets_at_hand(run, blueprint)
    async with (
        following_logs(run, mask) as follower,
        measuring(run, suite),
        aclosing(ticking(world, place_of(run))) as changes,
    ):
        async for states in changes:
            follower.saw(states)
            state = states.get(name)
            if state is None:
                return Ending(state=_gone(name))
            if state.phase is Phase.ENDED or (state.phase is Phase.PENDING and state.reason):
                return Ending(state=state, timed_out=stopped or _ran_too_long(job, state))
            if not stopped and _is_over(job, state):
                stopped = True
                await world.engine.stop(place_of(run), name, grace=_GRACE)
    raise AssertionError("an engine's watch ends only when its caller leaves")


def _is_over(job: Job, state: WorkloadState) -> bool:
    return state.started_at is not None and the_world().clock.now() - state.started_at > job.time_limit


def _ran_too_long(job: Job, state: WorkloadState) -> bool:
    if state.started_at is None or state.ended_at is None:
        return False
    return state.ended_at - state.started_at > job.time_limit


def _gone(name: str) -> WorkloadState:
    return WorkloadState(
        name=name,
        phase=Phase.ENDED,
        reason=Reason.GONE,
        fault=Fault.PLATFORM,
        message="the tests' container is gone from the engine",
    )
