"""One image, beside all others of its run."""

from __future__ import annotations

from conductor.domain.blueprint import ImageBuild
from conductor.domain.report import BuiltImage
from conductor.domain.run import Run
from conductor.durable import workflow
from conductor.steps.make_image import make_image


@workflow("build-image")
async def build_image(run: Run, image: ImageBuild) -> BuiltImage:
    """Build it, or find it built."""
    return await make_image(run, image)
