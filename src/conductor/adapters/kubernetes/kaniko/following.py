"""Follows one build's Job to its end: its pod, its log, its context. A pod that the cluster takes away is followed by the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.kinds import EVENT, JOB, POD, Manifest
from conductor.adapters.kubernetes.kaniko.endings import Ending
from conductor.adapters.kubernetes.kaniko.feeding import feed
from conductor.adapters.kubernetes.kaniko.job import BUILD, PUSH, READ_UNTIL, is_sent, pushes_apart
from conductor.adapters.kubernetes.kaniko.output import Output
from conductor.adapters.kubernetes.seeing.pod_status import (
    condition,
    holds,
    is_leaving,
    is_over,
    moment,
    state_of,
    was_taken_away,
)
from conductor.adapters.kubernetes.streams.log_lives import Life, read_life
from conductor.building.context import Context
from conductor.domain.verdict import Fault, Reason
from conductor.errors import ConductorError, NotFoundError, RunError, UnreachableError
from conductor.ports.builder import OnLine

LOOK = 0.2
"""Seconds between looks at what has no stream."""
START_LIMIT = timedelta(minutes=10)
"""So long a pod may take to be scheduled and started."""
WAITING_LIMIT = timedelta(minutes=1)
"""So long a container may be waiting for a reason that is no good one."""
NO_POD = timedelta(seconds=15)
"""A Job that has no pod after this time is asked why."""
LOST_LIMIT = timedelta(minutes=2)
"""So long the API server may be away while a build goes on."""
NOTE_EVERY = timedelta(seconds=5)
MOST_PODS = 3
"""So often a build is begun anew whose pod the cluster took away."""
_GOOD = ("", "ContainerCreating", "PodInitializing")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a Job ended, and what its build says that it made."""

    ending: Ending
    message: str = ""
    """The termination message: whatever the Dockerfile ran may have written it."""

    @property
    def is_well(self) -> bool:
        """Tell whether Kaniko says that it went well."""
        return self.ending.exit_code == 0 and not self.ending.reason


@dataclass(slots=True)
class Following:
    """Follows one Job."""

    client: Client
    job: Manifest
    context: Context
    on_line: OnLine
    _last: datetime | None = None
    _noted: float = 0.0
    _output: Output = field(default_factory=Output)
    _pods: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Go on where whoever followed it before came to."""
        told = (self.job["metadata"].get("annotations") or {}).get(READ_UNTIL)
        self._last = datetime.fromisoformat(told) if told else None

    async def to_the_end(self) -> Ended:
        """Hand on what the build writes; return how it ended. RunError where it cannot begin, or was taken away too often."""
        while True:
            pod = await self._begun()
            self._pods.add(pod["metadata"]["uid"])
            pod = await self._follow(pod)
            reason = str((pod.get("status") or {}).get("reason") or "")
            if not was_taken_away(pod) and not is_leaving(pod):
                return self._ended(pod, "DeadlineExceeded" if reason == "DeadlineExceeded" else "")
            if len(self._pods) >= MOST_PODS:
                return self._ended(pod, "Evicted")
            await self.on_line("[conductor] the cluster took the build's pod away: it begins anew")

    @property
    def _namespace(self) -> str:
        return str(self.job["metadata"]["namespace"])

    async def _begun(self) -> Manifest:
        """Wait for a pod of the Job whose build has begun, or that is over."""
        loop = asyncio.get_running_loop()
        since = waiting = loop.time()
        while True:
            pod = await self._newest()
            if pod is not None and (is_over(pod) or _started(_status(pod, BUILD))):
                return pod
            now = loop.time()
            if pod is None or _waiting(pod) in _GOOD:
                waiting = now
            if pod is None and now - since > NO_POD.total_seconds():
                await self._check_job(now - since)
            if pod is not None and now - waiting > WAITING_LIMIT.total_seconds():
                raise _not_started(pod)
            if now - since > START_LIMIT.total_seconds():
                raise _not_started(pod)
            await asyncio.sleep(LOOK)

    async def _newest(self) -> Manifest | None:
        """Find the newest pod that is not known to have been taken away."""
        labels = {"batch.kubernetes.io/controller-uid": str(self.job["metadata"]["uid"])}
        listing = await _patiently(lambda: self.client.list(POD, self._namespace, labels=labels))
        pods = [
            pod for pod in listing.items if pod["metadata"]["uid"] not in self._pods and not is_leaving(pod)
        ]
        return max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), default=None)

    async def _check_job(self, waited: float) -> None:
        """Say why a Job has no pod, once the cluster does."""
        name = self.job["metadata"]["name"]
        job = await _patiently(lambda: self.client.find(JOB, name, self._namespace))
        if job is None:
            raise _gone(name)
        if holds(job, "Failed"):
            raise _cannot_run(str(condition(job, "Failed").get("message") or "the Job failed without a pod"))
        fields = {"involvedObject.uid": str(self.job["metadata"]["uid"])}
        events = await _patiently(lambda: self.client.list(EVENT, self._namespace, fields=fields))
        told = [str(event.get("message")) for event in events.items if event.get("type") == "Warning"]
        if told and waited > WAITING_LIMIT.total_seconds():
            raise _cannot_run(told[-1])

    async def _follow(self, pod: Manifest) -> Manifest:
        """Follow a pod until it is over or gone; return it as it was last."""
        name = str(pod["metadata"]["name"])
        feeding = (
            asyncio.create_task(feed(self.client, self._namespace, name, self.context))
            if is_sent(self.job) and not is_over(pod)
            else None
        )
        try:
            pod = await self._pour(pod, BUILD)
            last = PUSH if pushes_apart(self.job) else BUILD
            if last == PUSH and _exit_code(pod, BUILD) == 0:
                self._output.last.clear()
                pod = await self._pour(pod, PUSH)
            return pod if _exit_code(pod, last) == 0 else await self._over(pod)
        finally:
            if feeding:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)

    async def _pour(self, pod: Manifest, container: str) -> Manifest:
        """Hand on a container's lines until it has ended; return the pod then."""
        while True:
            status = _status(pod, container)
            ended = _has_ended(pod, status)
            if _started(status):
                with suppress(UnreachableError):  # it is read again from where it broke off
                    await self._read(pod, container, follow=not ended)
            if ended:
                return pod
            fresh = await self._again(pod)
            if fresh is None:
                return {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": "gone"}}
            pod = fresh
            if not _has_ended(pod, _status(pod, container)):
                await asyncio.sleep(LOOK)

    async def _read(self, pod: Manifest, container: str, *, follow: bool) -> None:
        life = Life(
            namespace=self._namespace,
            pod=pod["metadata"]["name"],
            uid=pod["metadata"]["uid"],
            container=container,
            number=0,
            is_previous=False,
            started_at=None,
        )
        reading = read_life(self.client, life, "the build", since=self._last, follow=follow)
        async with aclosing(reading) as lines:
            async for line in lines:
                self._last = line.at
                if (shown := self._output.take(line.text)) is not None:
                    await self.on_line(shown)
                await self._note()

    async def _note(self) -> None:
        """Note on the Job how far its log was handed on, now and then, for whoever adopts it."""
        now = asyncio.get_running_loop().time()
        if self._last is None or now - self._noted < NOTE_EVERY.total_seconds():
            return
        self._noted = now
        changes = {"metadata": {"annotations": {READ_UNTIL: self._last.isoformat()}}}
        with suppress(ConductorError):
            await self.client.patch(JOB, self.job["metadata"]["name"], changes, self._namespace)

    async def _over(self, pod: Manifest) -> Manifest:
        """Wait until the pod says itself how it ended."""
        while not is_over(pod) and not is_leaving(pod):
            fresh = await self._again(pod)
            if fresh is None:
                return {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": "gone"}}
            pod = fresh
            if not is_over(pod):
                await asyncio.sleep(LOOK)
        return pod

    async def _again(self, pod: Manifest) -> Manifest | None:
        name = pod["metadata"]["name"]
        found: Manifest | None = await _patiently(lambda: self.client.find(POD, name, self._namespace))
        return found

    def _ended(self, pod: Manifest, reason: str) -> Ended:
        built, pushed = _terminated(pod, BUILD), _terminated(pod, PUSH)
        pushing = pushes_apart(self.job) and _exit_code(pod, BUILD) == 0
        last = pushed if pushing else built
        code = last.get("exitCode")
        found = str(last.get("reason") or "")
        ending = Ending(
            exit_code=int(code) if code is not None else 1,
            reason=reason or ("OOMKilled" if found == "OOMKilled" else ""),
            step=self._output.step,
            base=self._output.base,
            trouble=self._output.trouble,
            last=tuple(self._output.last),
            warnings=tuple(self._output.warnings),
            pushing=pushing,
        )
        return Ended(ending=ending, message=str(built.get("message") or "").strip())


async def _patiently(ask: Any) -> Any:
    """Ask again while the API server is away, for a while: the build goes on without it."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while True:
        try:
            return await ask()
        except UnreachableError:
            if loop.time() - begun > LOST_LIMIT.total_seconds():
                raise
        await asyncio.sleep(1)


def _status(pod: Manifest, container: str) -> Mapping[str, Any]:
    status = pod.get("status") or {}
    known = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return next((one for one in known if one.get("name") == container), {})


def _started(status: Mapping[str, Any]) -> bool:
    """Tell whether a container has run: one that never did may be called terminated too."""
    ended = state_of(status, "terminated")
    return state_of(status, "running") is not None or bool(ended and moment(ended.get("startedAt")))


def _has_ended(pod: Manifest, status: Mapping[str, Any]) -> bool:
    return state_of(status, "terminated") is not None or is_over(pod)


def _terminated(pod: Manifest, container: str) -> Mapping[str, Any]:
    return state_of(_status(pod, container), "terminated") or {}


def _exit_code(pod: Manifest, container: str) -> int | None:
    code = _terminated(pod, container).get("exitCode")
    return None if code is None else int(code)


def _waiting(pod: Manifest) -> str:
    """Return why the build's container is waiting; a pod without a node has its own reason."""
    waiting = state_of(_status(pod, BUILD), "waiting") or {}
    return str(waiting.get("reason") or "")


def _not_started(pod: Manifest | None) -> RunError:
    if pod is None:
        return _cannot_run("the cluster made no pod for it")
    waiting = state_of(_status(pod, BUILD), "waiting") or {}
    said = str(waiting.get("message") or condition(pod, "PodScheduled").get("message") or "no reason is told")
    if "Image" in _waiting(pod):
        return RunError(
            f"the builder's image cannot be pulled: {said}",
            reason=Reason.IMAGE_PULL,
            fault=Fault.PLATFORM,
            remedy="Let the nodes pull it, or name another with CONDUCTOR_KANIKO_IMAGE.",
        )
    if not _waiting(pod):
        return RunError(
            f"no node has room for the build: {said}",
            reason=Reason.UNSCHEDULABLE,
            fault=Fault.PLATFORM,
            remedy="Lower CONDUCTOR_BUILD_REQUESTS or CONDUCTOR_BUILDS_AT_ONCE, or add nodes.",
        )
    return _cannot_run(f"{_waiting(pod)}: {said}")


def _cannot_run(said: str) -> RunError:
    return RunError(
        f"the build cannot start: {said}",
        reason=Reason.BUILD_FAILED,
        fault=Fault.PLATFORM,
        remedy="`conductor doctor --engine kubernetes` says what the cluster lacks.",
    )


def _gone(name: str) -> NotFoundError:
    return NotFoundError(
        f"the build {name} was deleted while it ran", remedy="Run again; nothing else deletes builds."
    )
