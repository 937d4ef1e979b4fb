"""give-up-suite: a suite that came to no result of its own is on record as broken, and its job does not run on."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from conductor.domain.blueprint import Blueprint
from conductor.domain.results import SuiteResult
from conductor.domain.run import Run
from conductor.domain.verdict import Outcome
from conductor.durable import step
from conductor.errors import ConductorError
from conductor.ports.world import the_world
from conductor.steps.place import place_of
from conductor.steps.read_results import put_on_record

GRACE = timedelta(seconds=10)


@step("give-up-suite", subject=lambda _run, _blueprint, suite, _outcome: suite)
async def give_up_suite(run: Run, blueprint: Blueprint, suite: str, outcome: Outcome) -> SuiteResult:
    """Return the result: no cases, and the outcome that the error made."""
    result = SuiteResult(
        suite=suite, outcome=replace(outcome, subject=outcome.subject or suite), partial=True
    )
    with suppress(ConductorError):  # an engine that is gone may be what the suite is given up for
        await the_world().engine.stop(place_of(run), blueprint.job(suite).workload.name, grace=GRACE)
    await put_on_record(run, result)
    return result
