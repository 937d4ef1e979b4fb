"""`LokiPush`: lines of logs on their way to Loki, in batches, beside all else.

Laws. It never blocks who writes, and fails nobody: what waits is bounded, the oldest goes first, and how many went is said. A batch that
Loki cannot take now is sent again a few times; one that it refuses is not. At the end what waits is sent, for `LAST_SECONDS` at most.
Source: grafana.com/docs/loki, "Loki HTTP API", `POST /loki/api/v1/push`: 204; times are strings of nanoseconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import httpx2

from conductor.domain.report import LogLine
from conductor.errors import ConductorError

Labels = Mapping[str, str]
Describe = Callable[[str, int], Awaitable[Labels]]
"""Returns the labels of a run's (or an environment's) lines, by its id and attempt."""
Sleep = Callable[[float], Awaitable[None]]

MOST_WAITING = 20_000
BATCH = 2_000
EVERY_SECONDS = 1.0
PAUSES = (0.5, 2.0, 8.0)
"""Seconds before a batch is sent again."""
LAST_SECONDS = 5.0
PATIENCE_SECONDS = 5.0
DESCRIBED = 500
TOO_MANY = 429
REFUSED = 400
BROKEN = 500
_log = logging.getLogger(__name__)

Waiting = tuple[str, int, LogLine]


class LokiPush:
    """Pushes to one Loki. `start` begins, `aclose` ends it; `heard` takes lines in between."""

    def __init__(
        self, url: str, *, describe: Describe, token: str = "", tenant: str = "", sleep: Sleep = asyncio.sleep
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx2.AsyncClient(
            base_url=url,
            headers=headers | ({"X-Scope-OrgID": tenant} if tenant else {}),
            timeout=PATIENCE_SECONDS,
        )
        self._describe = describe
        self._sleep = sleep
        self._waiting: deque[Waiting] = deque()
        self._labels: OrderedDict[tuple[str, int], Labels] = OrderedDict()
        self._is_ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def start(self) -> None:
        """Begin to send what is heard."""
        self._task = asyncio.create_task(self._go_on(), name="loki")

    def heard(self, run_id: str, attempt: int, lines: Sequence[LogLine]) -> None:
        """Take lines; returns at once."""
        self._waiting.extend((run_id, attempt, line) for line in lines)
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self.dropped += 1

    async def aclose(self) -> None:
        """Send what waits, if that goes quickly, and end."""
        self._is_ending.set()
        if self._task:
            await asyncio.wait([self._task], timeout=LAST_SECONDS)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if lost := self.dropped + len(self._waiting):
            _log.warning("%d lines did not get to Loki; Conductor's own archive has them", lost)
        await self._http.aclose()

    async def _go_on(self) -> None:
        while not (self._is_ending.is_set() and not self._waiting):
            if len(self._waiting) < BATCH:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._is_ending.wait(), EVERY_SECONDS)
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            if batch:
                await self._send(batch)

    async def _send(self, batch: Sequence[Waiting]) -> None:
        """Send a batch, again where that helps; one that does not arrive is counted."""
        said = ""
        try:
            body = {"streams": await self._streams(batch)}
            for pause in (*PAUSES, None):
                said, helps = await self._push(body)
                if not said:
                    return
                if not helps or pause is None or self._is_ending.is_set():
                    break
                await self._sleep(pause)
        except ConductorError as error:
            said = error.message
        self.dropped += len(batch)
        _log.warning("pushing %d lines to Loki: %s", len(batch), said)

    async def _push(self, body: Mapping[str, Any]) -> tuple[str, bool]:
        """Return what went wrong, and whether it helps to send it again; nothing where all went well."""
        try:
            answer = await self._http.post("/loki/api/v1/push", json=body)
        except httpx2.HTTPError as error:
            return str(error) or type(error).__name__, True
        if answer.is_success:
            return "", False
        again = answer.status_code == TOO_MANY or answer.status_code >= BROKEN
        return f"HTTP {answer.status_code} {answer.text[:200].strip()}", again

    async def _streams(self, batch: Sequence[Waiting]) -> list[dict[str, Any]]:
        """Put lines with the same labels together, in the order of their times."""
        by_stream: defaultdict[tuple[str, int, str], list[LogLine]] = defaultdict(list)
        for run_id, attempt, line in batch:
            by_stream[run_id, attempt, line.workload].append(line)
        return [
            {
                "stream": {**await self._of(run_id, attempt), "service": workload, "container": workload},
                "values": [
                    [str(_nanoseconds(one.at)), one.text] for one in sorted(lines, key=lambda one: one.at)
                ],
            }
            for (run_id, attempt, workload), lines in by_stream.items()
        ]

    async def _of(self, run_id: str, attempt: int) -> Labels:
        key = run_id, attempt
        if key not in self._labels:
            self._labels[key] = await self._describe(run_id, attempt)
            if len(self._labels) > DESCRIBED:
                self._labels.popitem(last=False)
        return self._labels[key]


def _nanoseconds(at: datetime) -> int:
    """Count since 1970, without the rounding of floats."""
    return int(at.timestamp()) * 10**9 + at.microsecond * 1000
