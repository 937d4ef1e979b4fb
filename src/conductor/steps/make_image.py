"""make-image: one image of the run, built or found built."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from conductor.building.context import key_of
from conductor.domain.attestation import Attestation, AttestationState
from conductor.domain.blueprint import ImageBuild
from conductor.domain.event import Kind
from conductor.domain.names import LABEL_RUN, slug
from conductor.domain.report import BuiltImage, LogLine
from conductor.domain.run import Run, Source
from conductor.durable import step
from conductor.errors import ConductorError, RunError
from conductor.ports.builder import BuildOrder, OnLine, Remote
from conductor.ports.world import the_world
from conductor.steps.place import checkout_at_hand
from conductor.steps.tell import tell


@step("make-image", subject=lambda _run, image: image.name)
async def make_image(run: Run, image: ImageBuild) -> BuiltImage:
    """Ask for the content key first: what is unchanged is not built again."""
    world = the_world()
    began = world.clock.now()
    await tell(run, Kind.BUILD_STARTED, subject=image.name, key=began.isoformat())
    try:
        built = await _find_or_build(run, image)
    except ConductorError as error:
        await tell(run, Kind.BUILD_ENDED, subject=image.name, key=began.isoformat(), error=error.message)
        if isinstance(error, RunError):
            error.subject = error.subject or image.name
        raise
    seconds = (world.clock.now() - began).total_seconds()
    built = replace(built, name=image.name, seconds=seconds)
    if world.attester and built.published:
        built = replace(built, attestation=Attestation(state=AttestationState.PENDING))
    await _ask_for_scan(built)
    await world.store.save_image(run, built)
    await tell(
        run,
        Kind.BUILD_ENDED,
        subject=image.name,
        key=began.isoformat(),
        cached=built.cached,
        digest=built.digest,
        seconds=seconds,
    )
    return built


async def _find_or_build(run: Run, image: ImageBuild) -> BuiltImage:
    builder = the_world().builder
    order = await _order(run, image)
    if not image.build.no_cache and (found := await builder.find(order)):
        return replace(found, cached=True)
    return await builder.build(order, on_line=_keeper(run, image))


async def _order(run: Run, image: ImageBuild) -> BuildOrder:
    checkout = await checkout_at_hand(run)
    return BuildOrder(
        run=run.id,
        repository=run.repository,
        name=image.name,
        build=image.build,
        checkout=str(checkout),
        key=await asyncio.to_thread(key_of, checkout, image.build),
        remote=_remote(run.source),
        labels={LABEL_RUN: run.id},
    )


def _remote(source: Source) -> Remote | None:
    """Return where a cluster can fetch it too: over https, at a commit."""
    if source.commit is None or source.dirty or not source.location.startswith("https://"):
        return None
    return Remote(url=source.location, commit=source.commit)


async def _ask_for_scan(image: BuiltImage) -> None:
    """Have it scanned beside all that follows. What becomes of that is the business of `scan-images`."""
    registry = the_world().registry
    if registry is not None and image.published:
        name, _, digest = image.published.partition("@")
        with suppress(ConductorError):
            await registry.request_scan(name, digest)


def _keeper(run: Run, image: ImageBuild) -> OnLine:
    """Return what puts each line of the build's output on record."""
    world = the_world()
    mask = world.secrets.masker(run.id)

    async def keep(line: str) -> None:
        text = LogLine(workload=log_of(image.name), at=world.clock.now(), text=mask(line))
        await world.evidence.append_log(run.id, run.attempt, [text])

    return keep


def log_of(image: str) -> str:
    """Name the log of an image's build beside the logs of the workloads."""
    return f"build-{slug(image)}"
