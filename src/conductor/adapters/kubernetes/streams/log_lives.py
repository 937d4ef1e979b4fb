"""One life of a container, read from its kubelet: what it wrote after a time, and what a rotation took of it.

A kubelet keeps the log of a container's present and its last life, and of each only what was written since the log was rotated last. The
API resumes at whole seconds: so reading begins a second early, and what is known is dropped by its exact time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.kinds import POD, Manifest
from conductor.adapters.kubernetes.seeing.pod_status import Status, main_status, moment, state_of
from conductor.adapters.kubernetes.streams.log_lines import MICROSECOND, Lines
from conductor.domain.report import LogLine
from conductor.errors import NotFoundError, RunError, UnreachableError

EARLIER = timedelta(seconds=1)
SILENCE = timedelta(seconds=60)
"""After this a log that says nothing is opened anew: its connection may be dead."""
MUCH_BYTES = 2**20
DOUBT = timedelta(seconds=5)
"""A log in which so much was written is asked anew after so much silence."""
_PRECISION = timedelta(milliseconds=1)


class DoubtError(UnreachableError):
    """The connection may wait at a file that nobody writes any more, or is too slow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """One life of a container: its pod, and how often it had been started before."""

    namespace: str
    pod: str
    uid: str
    container: str
    number: int
    is_previous: bool
    started_at: datetime | None


def lives(pod: Manifest, container: str) -> list[Life]:
    """List what a kubelet still has of a container: its last life and its present one, in their order."""
    status = main_status(pod, container)
    number = int(status.get("restartCount") or 0)
    found = []
    if number and _part(status, "lastState"):
        found.append(_life(pod, status, number - 1, _part(status, "lastState"), is_previous=True))
    if present := state_of(status, "running") or state_of(status, "terminated"):
        found.append(_life(pod, status, number, present, is_previous=False))
    return found


def _life(pod: Manifest, status: Status, number: int, state: Status, *, is_previous: bool) -> Life:
    metadata = pod["metadata"]
    return Life(
        namespace=metadata["namespace"],
        pod=metadata["name"],
        uid=metadata["uid"],
        container=str(status["name"]),
        number=number,
        is_previous=is_previous,
        started_at=moment(state.get("startedAt")),
    )


def _part(status: Status, key: str) -> Status:
    return (status.get(key) or {}).get("terminated") or {}


async def read_life(
    client: Client,
    life: Life,
    workload: str,
    *,
    since: datetime | None,
    follow: bool,
    doubt: timedelta | None = None,
) -> AsyncGenerator[LogLine, None]:
    """Yield the lines of one life. What the kubelet does not have is empty; a gap is told as a line of its own.

    A followed log is given up as `DoubtError` after so much silence as `doubt` says, or after `DOUBT` where much was read.
    """
    lines = Lines(workload, since=since)
    parameters: dict[str, str | int | bool | None] = {
        "container": life.container,
        "timestamps": True,
        "follow": follow and not life.is_previous,
        "previous": life.is_previous,
        "sinceTime": _whole_second(since - EARLIER) if since else None,
    }
    doing = f"reading the log of {workload}"
    path = POD.path(life.namespace, life.pod, "log")
    silence = SILENCE.total_seconds()
    try:
        async with client.stream(path, doing=doing, parameters=parameters, silence=silence) as answer:
            async for chunk in _chunks(answer, lines, doubt=doubt) if follow else answer.aiter_bytes():
                unread = lines.first is None
                ready = list(lines.feed(chunk))
                if unread and (gap := find_gap(life, workload, since, lines.first)):
                    yield gap
                for line in ready:
                    yield line
    except (NotFoundError, RunError):
        return  # no such pod, or no such life of its container
    for line in lines.rest():
        yield line


async def _chunks(
    answer: httpx2.Response, lines: Lines, *, doubt: timedelta | None
) -> AsyncGenerator[bytes, None]:
    """Yield what comes; raises UnreachableError where that is not to be believed.

    A kubelet that had not read a file to its end when it was rotated goes on waiting at the old one (tried): one that falls silent
    after much is asked anew.
    """
    chunks = answer.aiter_bytes()
    while True:
        patience = DOUBT if lines.wanted_bytes > MUCH_BYTES else doubt
        try:
            async with asyncio.timeout(patience.total_seconds() if patience else None):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise DoubtError("the log fell silent") from None
        if chunk is None:
            return
        yield chunk


def find_gap(life: Life, workload: str, since: datetime | None, first: datetime | None) -> LogLine | None:
    """Tell of lines that a rotation took: what was known must still be there, else the log begins later than it should."""
    if since is None or first is None or first <= since + _PRECISION:
        return None
    if life.started_at is None or life.started_at > since - (EARLIER if life.number else timedelta(0)):
        return None
    text = f"[conductor] this log was rotated: lines between {since.isoformat()} and {first.isoformat()} may be missing"
    return LogLine(
        workload=workload, at=max(first - MICROSECOND, since + MICROSECOND), text=text, stream="stderr"
    )


def _whole_second(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
