"""The health check that Conductor runs, written on the container: whoever watches it later needs no blueprint."""

from __future__ import annotations

import json
from datetime import timedelta

from conductor.adapters.docker.containers.facts import ImageFacts
from conductor.domain.stack import Healthcheck, Service

LABEL_HEALTHCHECK = "conductor.dev/healthcheck"


def healthcheck_of(service: Service, image: ImageFacts) -> Healthcheck | None:
    """Return the check that counts: the compose file's, else the image's, else none."""
    if service.healthcheck_disabled:
        return None
    return service.healthcheck.over(image.healthcheck) if service.healthcheck else image.healthcheck


def healthcheck_json(check: Healthcheck) -> str:
    """Write a health check for the label; times in seconds."""
    return json.dumps({
        "test": check.test, "interval": check.interval.total_seconds(), "timeout": check.timeout.total_seconds(),
        "retries": check.retries, "start_period": check.start_period.total_seconds(),
        "start_interval": check.start_interval.total_seconds(),
    })  # fmt: skip


def read_healthcheck(text: str) -> Healthcheck:
    """Read what `healthcheck_json` wrote."""
    data = json.loads(text)

    def seconds(name: str) -> timedelta:
        return timedelta(seconds=data[name])

    return Healthcheck(
        test=tuple(data["test"]),
        retries=data["retries"],
        interval=seconds("interval"),
        timeout=seconds("timeout"),
        start_period=seconds("start_period"),
        start_interval=seconds("start_interval"),
    )
