"""Images on the engine: there already, or pulled; and what they say about themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import aiodocker

from conductor.adapters.docker.connection.client import CANNOT_CONNECT, Client, reaching
from conductor.adapters.docker.containers.facts import ImageFacts
from conductor.adapters.docker.containers.logins import find_login
from conductor.adapters.docker.marks import Failure
from conductor.adapters.docker.watching.states import pull_failure
from conductor.domain.stack import Healthcheck, Service
from conductor.domain.verdict import Fault, Reason

PULL_TIMEOUT = timedelta(minutes=15)
NANOSECONDS = 1e9
NOT_FOUND = 404


async def ready_image(client: Client, service: Service) -> ImageFacts | Failure:
    """Return what the service's image says, pulling it by the service's policy; or why there is none."""
    image = service.image
    if image is None:
        text = f"{service.name} has neither an image nor one that was built"
        return Failure(reason=Reason.CONFIGURATION, fault=Fault.REPOSITORY, message=text)
    built = service.build is not None
    if built or service.pull_policy != "always":
        found = await find_image(client, image)
        if found is not None:
            return found
    if built or service.pull_policy == "never" or image.startswith("localhost/"):
        text = f"there is no image {image} on this engine, and it is not to be pulled"
        return Failure(reason=Reason.IMAGE_PULL, fault=Fault.REPOSITORY, message=text)
    failure = await _pull(client, image, service.platform)
    return failure or await find_image(client, image) or pull_failure(image, "not found after it was pulled")


async def find_image(client: Client, image: str) -> ImageFacts | None:
    """Return what an image says about itself, or None where the engine has none of that name."""
    try:
        with reaching(f"looking at the image {image}"):
            return image_facts(await _inspect(client, image))
    except LookupError:
        return None


def image_facts(inspection: Mapping[str, Any]) -> ImageFacts:
    """Read the answer to `GET /images/{name}/json`."""
    config = inspection.get("Config") or {}
    return ImageFacts(
        command=tuple(config.get("Cmd") or ()),
        healthcheck=_healthcheck(config.get("Healthcheck") or inspection.get("HealthCheck") or {}),
        working_dir=config.get("WorkingDir") or "/",
    )


def _healthcheck(data: Mapping[str, Any]) -> Healthcheck | None:
    """Read an image's own check; times in nanoseconds, 0 and absent are the default."""
    test = tuple(data.get("Test") or ())
    if not test or test[0] == "NONE":
        return None
    default = Healthcheck(test=test)
    return Healthcheck(
        test=test,
        interval=_time(data.get("Interval")) or default.interval,
        timeout=_time(data.get("Timeout")) or default.timeout,
        retries=int(data.get("Retries") or default.retries),
        start_period=_time(data.get("StartPeriod")) or default.start_period,
        start_interval=_time(data.get("StartInterval")) or default.start_interval,
    )


def _time(nanoseconds: int | None) -> timedelta | None:
    return timedelta(seconds=nanoseconds / NANOSECONDS) if nanoseconds else None


async def _inspect(client: Client, image: str) -> Mapping[str, Any]:
    try:
        return await client.images.inspect(image)
    except aiodocker.DockerError as error:
        if error.status == NOT_FOUND:
            raise LookupError(image) from None
        raise


async def _pull(client: Client, image: str, platform: str | None) -> Failure | None:
    with reaching(f"pulling {image}"):
        try:
            async with asyncio.timeout(PULL_TIMEOUT.total_seconds()):
                login = await asyncio.to_thread(find_login, image)
                pulling = client.images.pull(image, auth=login, platform=platform, stream=True, timeout=None)
                async for _ in pulling:
                    pass
        except TimeoutError:
            return pull_failure(image, f"timeout exceeded: it took longer than {PULL_TIMEOUT}")
        except aiodocker.DockerError as error:
            if error.status == CANNOT_CONNECT:
                raise
            return pull_failure(image, error.message)
    return None
