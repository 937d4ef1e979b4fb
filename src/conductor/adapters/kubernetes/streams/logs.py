"""The log of a workload: of all its pods and of all lives of its containers, as one.

What is followed comes line by line, which is slow; so what is there is read in bulk first, and again where much is written at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.kinds import EVENT, POD, Manifest
from conductor.adapters.kubernetes.manifests.kube_names import kube_name
from conductor.adapters.kubernetes.seeing.sight import KEEPERS, Sight
from conductor.adapters.kubernetes.seeing.states import Snapshot, states
from conductor.adapters.kubernetes.streams.log_lives import DOUBT, SILENCE, DoubtError, Life, lives, read_life
from conductor.domain.names import LABEL_WORKLOAD
from conductor.domain.report import LogLine
from conductor.domain.states import Phase, WorkloadState
from conductor.errors import UnreachableError

PATIENCE = timedelta(seconds=30)
"""So long a node that does not answer is borne."""
LAST_LINES = timedelta(seconds=30)
"""So long the last lines of what has ended may take to arrive."""
MANY_LINES = 5000
TICK = timedelta(seconds=1)
PAUSE = 0.5
AHEAD = 1000
"""Lines that are read before somebody takes them."""


async def read_log(
    client: Client, sight: Sight, namespace: str, workload: str, *, since: datetime | None, follow: bool
) -> AsyncGenerator[LogLine, None]:
    """Yield the lines of a workload written strictly after `since`, as `ports.engine` says."""
    source = (
        _Following(client, sight, namespace, workload, since).lines()
        if follow
        else _read_now(client, sight, namespace, workload, since)
    )
    async with aclosing(source) as lines:
        async for line in lines:
            yield line


async def _read_now(
    client: Client, sight: Sight, namespace: str, workload: str, since: datetime | None
) -> AsyncGenerator[LogLine, None]:
    name = kube_name(workload)
    for pod in sorted(await sight.pods(namespace, name), key=_age):
        for life in lives(pod, name):
            async with aclosing(read_life(client, life, workload, since=since, follow=False)) as lines:
                async for line in lines:
                    yield line


@dataclass(slots=True)
class _Following:
    """Follows all pods of a workload at once, until it ends."""

    client: Client
    sight: Sight
    namespace: str
    workload: str
    since: datetime | None
    _arrived: asyncio.Queue[LogLine | BaseException | None] = field(
        default_factory=lambda: asyncio.Queue(AHEAD)
    )
    _lives: dict[tuple[str, int], asyncio.Task[None]] = field(default_factory=dict)
    _last: dict[str, datetime | None] = field(default_factory=dict)

    async def lines(self) -> AsyncGenerator[LogLine, None]:
        watching = asyncio.create_task(self._watch())
        try:
            while (line := await self._arrived.get()) is not None:
                if isinstance(line, BaseException):
                    raise line
                yield line
        finally:
            tasks = [watching, *self._lives.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self) -> None:
        """Follow each life of each pod once, and leave when nothing more is to come."""
        ending: BaseException | None = None
        try:
            await self.sight.cluster.start(self.client)
            async with aclosing(self.sight.cluster.changes(self.namespace, tick=TICK)) as changes:
                async for _ in changes:
                    pods = self._pods()
                    for life in (life for pod in pods for life in lives(pod, self._name)):
                        self._follow(life)
                    if self._is_over(pods):
                        break
            if self._lives:
                await asyncio.wait(self._lives.values(), timeout=LAST_LINES.total_seconds())
        except Exception as error:  # noqa: BLE001 -- is raised where the lines are read
            ending = error
        await self._arrived.put(ending)

    @property
    def _name(self) -> str:
        return kube_name(self.workload)

    def _pods(self) -> list[Manifest]:
        return sorted(self._of(self.sight.cluster.of(POD, self.namespace)), key=_age)

    def _of(self, things: Sequence[Manifest]) -> list[Manifest]:
        return [
            thing
            for thing in things
            if (thing["metadata"].get("labels") or {}).get(LABEL_WORKLOAD) == self._name
        ]

    def _follow(self, life: Life) -> None:
        if (life.uid, life.number) in self._lives:
            return
        before = [task for (uid, _), task in self._lives.items() if uid == life.uid]
        self._lives[life.uid, life.number] = asyncio.create_task(self._pour(life, before))

    async def _pour(self, life: Life, before: list[asyncio.Task[None]]) -> None:
        if before:
            await asyncio.wait(before)
        try:
            await self._pour_patiently(life)
        except Exception as error:  # noqa: BLE001 -- is raised where the lines are read
            await self._arrived.put(error)

    async def _pour_patiently(self, life: Life) -> None:
        """Read a life to its end, through silence and a short loss of its node: in bulk what is there, then as it comes."""
        loop = asyncio.get_running_loop()
        lost_since: float | None = None
        doubt: timedelta | None = None
        while True:
            opened, known = loop.time(), self._last.get(life.uid)
            try:
                return await self._pour_to_the_end(life, doubt)
            except DoubtError:
                spoke = known != self._last.get(life.uid)
                doubt = DOUBT if spoke or doubt is None else min(2 * doubt, SILENCE)
                continue
            except UnreachableError:
                is_well = known != self._last.get(life.uid) or loop.time() - opened >= SILENCE.total_seconds()
                lost_since = None if is_well else lost_since or opened
                if lost_since is not None and loop.time() - lost_since > PATIENCE.total_seconds():
                    raise
            await asyncio.sleep(PAUSE)

    async def _pour_to_the_end(self, life: Life, doubt: timedelta | None) -> None:
        if await self._pour_once(life, follow=False) > MANY_LINES:
            doubt = DOUBT
        await self._pour_once(life, follow=True, doubt=doubt)
        await self._pour_once(life, follow=False)

    async def _pour_once(self, life: Life, *, follow: bool, doubt: timedelta | None = None) -> int:
        """Read what is not known yet; return how many lines it was.

        A followed log comes line by line, which is slow: where many come at once they are better read in bulk, before a rotation takes
        them. And the end of what ended meanwhile may be in another file.
        """
        count, since = 0, self._last.get(life.uid) or self.since
        reading = read_life(self.client, life, self.workload, since=since, follow=follow, doubt=doubt)
        async with aclosing(reading) as lines:
            async for line in lines:
                self._last[life.uid] = line.at
                await self._arrived.put(line)
                count += 1
                if follow and count > MANY_LINES:
                    raise DoubtError("many lines came at once")
        return count

    def _is_over(self, pods: Sequence[Manifest]) -> bool:
        state = self._state(pods)
        if state is None:
            return True
        if state.phase in (Phase.ENDED, Phase.SLEEPING):
            return True
        return state.phase is Phase.PENDING and state.reason is not None and not self._lives

    def _state(self, pods: Sequence[Manifest]) -> WorkloadState | None:
        cluster = self.sight.cluster
        keepers = self._of([found for kind in KEEPERS for found in cluster.of(kind, self.namespace)])
        snapshot = Snapshot(keepers=keepers, pods=pods, events=cluster.of(EVENT, self.namespace))
        found: Mapping[str, WorkloadState] = states(snapshot, datetime.now(UTC))
        return next(iter(found.values()), None)


def _age(pod: Manifest) -> tuple[str, str]:
    metadata = pod["metadata"]
    return str(metadata.get("creationTimestamp") or ""), str(metadata["name"])
