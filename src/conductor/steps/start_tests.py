"""start-tests: the job of one suite is started beside the stack, or found started."""

from __future__ import annotations

from dataclasses import replace

from conductor.domain.blueprint import Blueprint
from conductor.domain.event import Kind
from conductor.domain.report import BuiltImage
from conductor.domain.run import Run
from conductor.durable import step
from conductor.ports.world import the_world
from conductor.steps.place import checkout_at_hand, place_of, secrets_at_hand
from conductor.steps.tell import tell


@step("start-tests", subject=lambda _run, _blueprint, suite, _image: suite)
async def start_tests(run: Run, blueprint: Blueprint, suite: str, image: BuiltImage | None) -> None:
    """Start it with the image that was built for it, or with the one that the plan names."""
    await checkout_at_hand(run)
    await secrets_at_hand(run, blueprint)
    job = blueprint.job(suite)
    if image is not None:
        job = replace(job, workload=replace(job.workload, image=image.reference))
    await the_world().engine.start_job(place_of(run), blueprint.stack, job)
    await tell(run, Kind.SUITE_STARTED, subject=suite, key="started", workload=job.workload.name)
