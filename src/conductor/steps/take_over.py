"""take-over: a rerun gets what an earlier attempt made: its plan, its images, and, for a stack of its own, its tree."""

from __future__ import annotations

from dataclasses import replace

from conductor.domain.blueprint import Blueprint
from conductor.domain.event import Kind
from conductor.domain.run import Rerun, Run
from conductor.durable import step
from conductor.errors import NotFoundError
from conductor.plan.rerun import with_failed_tests, with_images, with_jobs_again
from conductor.ports.world import the_world
from conductor.steps.place import copy_checkout, find_blueprint, keep_blueprint
from conductor.steps.tell import tell


@step("take-over")
async def take_over(run: Run) -> Blueprint:
    """Return the blueprint of the rerun. Its images are the very same: nothing is built. Repeated: starts over."""
    assert run.rerun is not None, "only a rerun takes anything over"  # noqa: S101 -- its workflow is started for reruns alone
    world = the_world()
    blueprint = await blueprint_again(run)
    for image in await world.store.images(run.id, run.rerun.of):
        await world.store.save_image(run, replace(image, cached=True))
    if run.home == run.attempt:
        earlier = await _attempt(run, run.rerun.of)
        await copy_checkout(earlier, run)
    await keep_blueprint(run, blueprint)
    await tell(run, Kind.NOTE, key="take-over", text=_in_words(run.rerun, blueprint))
    return blueprint


async def blueprint_again(run: Run) -> Blueprint:
    """Work out what a rerun will do. Raises RefusedError or NotFoundError where it cannot be done."""
    assert run.rerun is not None, "only a rerun takes anything over"  # noqa: S101 -- as above
    store = the_world().store
    whole = await _whole(run, run.rerun)
    blueprint = await find_blueprint(whole)
    if blueprint is None:
        raise NotFoundError(
            f"attempt {whole.attempt} of {run.id} never came as far as having a plan",
            remedy="Start a new run.",
        )
    blueprint = with_images(blueprint, await store.images(run.id, run.rerun.of))
    if not run.rerun.failed_only:
        return with_jobs_again(blueprint, attempt=run.attempt)
    results = await store.results(run.id, run.rerun.of)
    return with_failed_tests(blueprint, results, attempt=run.attempt)


async def _whole(run: Run, rerun: Rerun) -> Run:
    """Return the attempt that had every suite: one that ran failed tests alone knows only theirs."""
    earlier = await _attempt(run, rerun.of)
    if earlier.rerun and earlier.rerun.failed_only:
        return await _whole(run, earlier.rerun)
    return earlier


async def _attempt(run: Run, number: int) -> Run:
    row = await the_world().store.find_run(run.id, attempt=number)
    if row is None:
        raise NotFoundError(f"run {run.id} has no attempt {number}")
    return row.run


def _in_words(rerun: Rerun, blueprint: Blueprint) -> str:
    suites = ", ".join(job.suite for job in blueprint.jobs)
    what = f"only the failed tests of {suites}" if rerun.failed_only else f"all tests of {suites}"
    where = f"in the stack of attempt {rerun.stack}" if rerun.stack else "in a new stack of the same images"
    return f"a rerun of attempt {rerun.of}: {what}, {where}"
