"""SBOMs and signatures of the images of a run: made where they are wanted, told in the report, and never what breaks it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from conductor.domain.attestation import Attestation, AttestationState
from conductor.domain.verdict import Verdict
from conductor.reports.as_json import as_data
from conductor.reports.digest import to_digest
from conductor.reports.markdown import to_markdown
from conductor.reports.terminal import to_text
from tests.scenarios.stage import BOUND_SECONDS, Stage
from tests.scenarios.troubled import DIGEST, FailingStore, HoldingStore, NotingAttester, PublishingBuilder

DONE = Attestation(state=AttestationState.DONE, sbom=DIGEST, components=7, signature=DIGEST)
SAID = "SBOM of 7 components, signed"


async def _steps(played: Stage, run_id: str) -> list[str]:
    return [step.name for step in await played.world.store.steps(run_id, 1)]


async def test_images_are_attested_and_the_reports_say_so(tmp_path: Path):
    attester = NotingAttester()
    async with Stage(tmp_path, builder=PublishingBuilder, attester=attester).launched() as played:
        run, outcome = await played.run()
        images = await played.world.store.images(run.id, 1)
        report = played.report(run, 1)
    assert outcome.verdict is Verdict.PASSED
    assert sorted(attester.asked) == sorted(image.published for image in images)
    assert {image.attestation for image in report.images} == {DONE}
    for text in (to_digest(report), to_markdown(report), to_text(report)):
        assert SAID in text
    assert as_data(report)["images"][0]["attestation"] == {
        "state": "done",
        "sbom": DIGEST,
        "components": 7,
        "signature": DIGEST,
        "message": "",
    }


async def test_what_cannot_be_attested_is_a_note_and_breaks_nothing(tmp_path: Path):
    attester = NotingAttester(fails="backend")
    async with Stage(tmp_path, builder=PublishingBuilder, attester=attester).launched() as played:
        run, outcome = await played.run()
        report = played.report(run, 1)
    assert outcome.verdict is Verdict.PASSED
    said = {image.name: image.attestation for image in report.images}
    assert said["tests/tests"] == DONE
    assert said["backend"] == Attestation(
        state=AttestationState.FAILED, message="the registry does not answer"
    )
    assert "backend has no SBOM or signature: the registry does not answer" in report.notes


async def test_without_the_option_there_is_no_such_step(tmp_path: Path):
    async with Stage(tmp_path, builder=PublishingBuilder).launched() as played:
        run, _ = await played.run()
        assert "attest-images" not in await _steps(played, run.id)
        assert {image.attestation for image in played.report(run, 1).images} == {None}


async def test_images_that_were_not_pushed_are_not_attested(tmp_path: Path):
    attester = NotingAttester()
    async with Stage(tmp_path, attester=attester).launched() as played:
        run, _ = await played.run()
        assert "attest-images" not in await _steps(played, run.id)
    assert attester.asked == []


async def test_a_run_whose_process_dies_before_it_attests_goes_on_there(tmp_path: Path):
    attester = NotingAttester()
    stage = Stage(tmp_path, store=HoldingStore, builder=PublishingBuilder, attester=attester)
    stage.store.hold_at = "attest-images"
    async with stage.launched():
        run = await stage.request()
        await stage.start(run)
        await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
    async with stage.launched():
        outcome = await stage.resume(run)
    assert outcome.verdict is Verdict.PASSED
    assert {image.attestation for image in stage.report(run, 1).images} == {DONE}
    assert stage.store.begun["make-image/backend"] == 1


async def test_a_run_that_was_begun_with_the_option_goes_on_without_it(tmp_path: Path):
    stage = Stage(tmp_path, store=HoldingStore, builder=PublishingBuilder, attester=NotingAttester())
    stage.store.hold_at = "attest-images"
    async with stage.launched():
        run = await stage.request()
        await stage.start(run)
        await asyncio.wait_for(stage.store.reached.wait(), BOUND_SECONDS)
    stage.world = replace(stage.world, attester=None)
    async with stage.launched():
        outcome = await stage.resume(run)
    assert outcome.verdict is Verdict.PASSED
    assert "they were switched off while the run went on" in " ".join(stage.report(run, 1).notes)


async def test_the_step_itself_may_fail_without_breaking_the_run(tmp_path: Path):
    stage = Stage(tmp_path, store=FailingStore, builder=PublishingBuilder, attester=NotingAttester())
    async with stage.launched():
        stage.store.fails_at, stage.store.error = "attest-images", ZeroDivisionError("ours")
        _, outcome = await stage.run()
    assert outcome.verdict is Verdict.PASSED
