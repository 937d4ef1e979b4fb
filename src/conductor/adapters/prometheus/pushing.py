"""Pushing: one group for each state folder, so that what was pushed last takes the place of what was before.

Source: github.com/prometheus/pushgateway, "Command line" and "API" of its README: PUT replaces all metrics of a group.
"""

from __future__ import annotations

from urllib.parse import quote

import httpx2

from conductor.errors import UnreachableError

JOB = "conductor"
PATIENCE_SECONDS = 5.0
_REMEDY = "Check CONDUCTOR_PUSHGATEWAY; the verdict does not depend on it."


async def push(gateway: str, instance: str, figures: bytes) -> None:
    """Put figures in the text format in place of those that the instance pushed before. UnreachableError where that cannot be."""
    address = f"{gateway}/metrics/job/{JOB}/instance/{quote(instance, safe='')}"
    try:
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as http:
            answer = await http.put(
                address, content=figures, headers={"Content-Type": "text/plain; version=0.0.4"}
            )
    except httpx2.HTTPError as error:
        raise UnreachableError(
            f"pushing figures to {gateway}: {error or type(error).__name__}", remedy=_REMEDY
        ) from error
    if not answer.is_success:
        said = answer.text[:200].strip()
        raise UnreachableError(
            f"pushing figures to {gateway}: HTTP {answer.status_code} {said}", remedy=_REMEDY
        )
