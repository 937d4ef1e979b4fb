"""attest-images: SBOM and signature of the images of the run, beside them in the registry, for runs in which they are wanted."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from conductor.domain.attestation import Attestation, AttestationState
from conductor.domain.event import Kind
from conductor.domain.report import BuiltImage
from conductor.domain.run import Run
from conductor.durable import step
from conductor.errors import ConductorError
from conductor.ports.world import the_world
from conductor.steps.tell import tell


@step("attest-images")
async def attest_images(run: Run) -> None:
    """Have them made, all images side by side, and put them on record. None that fails breaks a run: it is a note of the report."""
    images = await the_world().store.images(run.id, run.attempt)
    await asyncio.gather(*(_attest(run, image) for image in images if image.attestation))


async def _attest(run: Run, image: BuiltImage) -> None:
    made = await _made(image.published)
    await the_world().store.save_image(run, replace(image, attestation=made))
    if made.state is AttestationState.FAILED:
        text = f"{image.name} has no SBOM or signature: {made.message}"
        await tell(run, Kind.NOTE, key=f"attest/{image.name}", text=text)


async def _made(image: str) -> Attestation:
    attester = the_world().attester
    if attester is None:
        return Attestation(
            state=AttestationState.FAILED, message="they were switched off while the run went on"
        )
    try:
        return await attester.attest(image)
    except ConductorError as error:
        return Attestation(state=AttestationState.FAILED, message=error.message)
