"""scan-images: what the registry's scanner says of the images of the run, and whether that lets it pass.

The scans were asked for when the images were made, so that by now most are over.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from conductor.domain.event import Kind
from conductor.domain.report import BuiltImage
from conductor.domain.run import Run
from conductor.domain.scan import Scan, ScanState
from conductor.domain.verdict import Outcome
from conductor.durable import step
from conductor.errors import ConductorError
from conductor.ports.registry import Registry
from conductor.ports.world import the_world
from conductor.reports.judge import judge_scans
from conductor.steps.tell import tell

LIMIT = timedelta(minutes=5)
_PAUSE = timedelta(seconds=2)


@step("scan-images")
async def scan_images(run: Run, outcome: Outcome) -> Outcome:
    """Wait for the scans, put them on record, and reconsider the outcome by them. No scan breaks a run by itself."""
    world = the_world()
    if world.registry is None:
        return outcome
    published = [image for image in await world.store.images(run.id, run.attempt) if image.published]
    scanned = await asyncio.gather(*(_scanned(run, image, world.registry) for image in published))
    return judge_scans(outcome, scanned, gate=world.scan_gate)


async def _scanned(run: Run, image: BuiltImage, registry: Registry) -> BuiltImage:
    scan = await _result(image, registry)
    made = replace(image, scan=scan)
    await the_world().store.save_image(run, made)
    counts = {severity.value: number for severity, number in scan.counts.items()}
    await tell(
        run,
        Kind.IMAGE_SCANNED,
        subject=image.name,
        key=image.published,
        state=scan.state,
        counts=counts,
        message=scan.message,
    )
    return made


async def _result(image: BuiltImage, registry: Registry) -> Scan:
    clock = the_world().clock
    name, _, digest = image.published.partition("@")
    until = clock.now() + LIMIT
    try:
        await registry.request_scan(name, digest)
        while (scan := await registry.scan(name, digest)).state is ScanState.PENDING:
            if clock.now() > until:
                return Scan(state=ScanState.FAILED, message=f"the scan did not end within {LIMIT}")
            await clock.sleep(_PAUSE)
    except ConductorError as error:
        return Scan(state=ScanState.FAILED, message=error.message)
    return scan
