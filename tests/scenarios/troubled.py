"""Misfortunes that befall a run at a step of its own: it is held there, or what it asks of the store goes wrong."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from conductor.adapters.fake.builder import FakeBuilder
from conductor.adapters.fake.engine import FakeEngine
from conductor.adapters.fake.store import FakeStore
from conductor.domain.attestation import Attestation, AttestationState
from conductor.domain.event import StepRecord
from conductor.domain.report import BuiltImage
from conductor.domain.scan import Scan, ScanState
from conductor.domain.stack import Job, Service, Stack
from conductor.errors import ConductorError, UnreachableError
from conductor.ports.builder import BuildOrder, OnLine
from conductor.ports.engine import Place

STEPS = [
    "start-run",
    "clone",
    "read-plan",
    "create-namespace",
    "sync-secrets",
    "make-image/backend",
    "make-image/tests/tests",
    "raise-stack",
    "start-tests/tests",
    "await-tests/tests",
    "read-results/tests",
    "scan-images",
    "capture-logs",
    "settle-lease",
    "write-report",
    "delete-namespace",
    "finish-run",
]
"""Every step of a green run of the shop that is cleaned up, in its order."""


def called(step: StepRecord) -> str:
    return f"{step.name}/{step.subject}" if step.subject else step.name


class HoldingStore(FakeStore):
    """Holds the first that begins the step `hold_at`, for ever. `begun` and `ended` count the steps."""

    def __init__(self) -> None:
        super().__init__()
        self.hold_at = ""
        self.reached = asyncio.Event()
        self.begun: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    async def save_step(self, step: StepRecord) -> None:
        await super().save_step(step)
        (self.begun if step.ended_at is None else self.ended)[called(step)] += 1
        if step.ended_at is None and called(step) == self.hold_at:
            self.hold_at = ""
            self.reached.set()
            await asyncio.Event().wait()


class FailingStore(FakeStore):
    """Raises `error` whenever the step `fails_at` begins."""

    def __init__(self) -> None:
        super().__init__()
        self.fails_at = ""
        self.error: Exception = ZeroDivisionError("a mistake of ours")

    async def save_step(self, step: StepRecord) -> None:
        await super().save_step(step)
        if step.ended_at is None and called(step) == self.fails_at:
            raise self.error


class CountingEngine(FakeEngine):
    """Counts the verbs that make something."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.made: Counter[str] = Counter()

    async def apply(self, place: Place, stack: Stack, service: Service) -> None:
        self.made[f"{place.namespace} {service.name}"] += 1
        await super().apply(place, stack, service)

    async def start_job(self, place: Place, stack: Stack, job: Job) -> None:
        self.made[f"{place.namespace} {job.workload.name}"] += 1
        await super().start_job(place, stack, job)


class EngineThatLeaves(FakeEngine):
    """Is away for half an hour from the moment when something is to be removed."""

    has_left = False

    async def delete_namespace(self, namespace: str) -> int:
        if not self.has_left:
            self.has_left = True
            self.leave(timedelta(minutes=30))
        return await super().delete_namespace(namespace)


class EndlessBuilder(FakeBuilder):
    """Never comes to an end with the image `backend`."""

    async def build(self, order: BuildOrder, *, on_line: OnLine) -> BuiltImage:
        if order.name == "backend":
            await asyncio.Event().wait()
        return await super().build(order, on_line=on_line)


class PublishingBuilder(FakeBuilder):
    """Has its images in a registry."""

    async def build(self, order: BuildOrder, *, on_line: OnLine) -> BuiltImage:
        return self._published(order, await super().build(order, on_line=on_line))

    async def find(self, order: BuildOrder) -> BuiltImage | None:
        found = await super().find(order)
        return found and self._published(order, found)

    @staticmethod
    def _published(order: BuildOrder, image: BuiltImage) -> BuiltImage:
        return replace(image, published=f"registry.test/{order.name}@{image.digest}")


class ScanningRegistry:
    """Its scans are pending for as many looks as it is told, then they are as they are told; an error is raised by every look."""

    def __init__(
        self,
        scans: Mapping[str, Scan | ConductorError],
        *,
        looks: int = 0,
        old: Sequence[str] = (),
        away: bool = False,
    ) -> None:
        self._scans = scans
        self._left = dict.fromkeys(scans, looks)
        self.asked: Counter[str] = Counter()
        self._old, self._away = old, away
        self.pruned: list[tuple[str, int]] = []

    async def prune(self, repository: str, *, keep: int, used: Collection[str] = ()) -> Sequence[str]:
        self.pruned.append((repository, keep))
        self.used = used
        if self._away:
            raise UnreachableError("the registry does not answer")
        return self._old

    async def request_scan(self, reference: str, digest: str) -> None:
        self.asked[reference] += 1

    async def scan(self, reference: str, digest: str) -> Scan:
        assert self.asked[reference], "nobody asked for a scan"
        name = reference.removeprefix("registry.test/")
        if self._left[name]:
            self._left[name] -= 1
            return Scan(state=ScanState.PENDING)
        found = self._scans[name]
        if isinstance(found, ConductorError):
            raise found
        return found


class NotingAttester:
    """Attests what it is asked to, and notes it; an error is raised for the image of that name."""

    def __init__(self, *, fails: str = "") -> None:
        self.asked: list[str] = []
        self._fails = fails

    async def attest(self, image: str) -> Attestation:
        self.asked.append(image)
        if self._fails and image.startswith(f"registry.test/{self._fails}@"):
            raise UnreachableError("the registry does not answer")
        return Attestation(state=AttestationState.DONE, sbom=DIGEST, components=7, signature=DIGEST)


DIGEST = f"sha256:{'5' * 64}"
