"""raise-stack: every service starts as soon as its image is there and what it depends on is so far, until all are ready.

Cut off and repeated, it adopts what runs: the engine's names come from the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime

from conductor.domain.blueprint import Blueprint
from conductor.domain.event import Kind
from conductor.domain.report import BuiltImage
from conductor.domain.run import Run
from conductor.domain.stack import Service
from conductor.domain.states import REMEDIES, Hopeless, Ready, States, Waiting, readiness, startable
from conductor.domain.verdict import Fault, Reason
from conductor.durable import Handle, step
from conductor.errors import RunError
from conductor.ports.world import the_world
from conductor.steps.follow_logs import following_logs
from conductor.steps.measuring import measuring
from conductor.steps.place import checkout_at_hand, place_of, secrets_at_hand
from conductor.steps.tell import tell
from conductor.steps.ticking import tick_or


@step("raise-stack")
async def raise_stack(run: Run, blueprint: Blueprint, builds: Mapping[str, str]) -> None:
    """Return once the stack is ready; raise `RunError` as soon as it is clear that it never will be.

    `builds` maps an image's name to the workflow that makes it. The time limit counts from when the last image is there.
    """
    await checkout_at_hand(run)
    mask = await secrets_at_hand(run, blueprint)
    rising = _Rising(run=run, blueprint=blueprint)
    async with following_logs(run, mask) as follower, measuring(run, "stack"):
        try:
            rising.begin(builds)
            async for states in rising.changes():
                follower.saw(states)
                await rising.note(states)
                if rising.is_up(states):
                    return
                rising.start_what_can(states)
        finally:
            await rising.leave()


@dataclass(kw_only=True)
class _Rising:
    run: Run
    blueprint: Blueprint
    images: dict[str, BuiltImage] = field(default_factory=dict)
    starting: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    states: States = field(default_factory=dict)
    told: dict[str, tuple[object, ...]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    images_since: datetime | None = None
    building: list[asyncio.Task[None]] = field(default_factory=list)
    watching: asyncio.Task[None] = field(init=False)

    def begin(self, builds: Mapping[str, str]) -> None:
        self.watching = self._task(self._watch())
        self.building = [self._task(self._await_image(name, build)) for name, build in builds.items()]

    async def leave(self) -> None:
        """Let go of everything that waits; what runs goes on running."""
        tasks = [self.watching, *self.building, *self.starting.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def changes(self) -> AsyncIterator[States]:
        """Yield the states whenever something may have changed, and at least every tick, for the time limit.

        What went wrong with a build, a start or the watch is raised here.
        """
        while True:
            self.changed.clear()
            for task in (self.watching, *self.building, *self.starting.values()):
                if task.done():
                    task.result()
            yield self.states
            changed = asyncio.create_task(self.changed.wait())
            try:
                await tick_or(the_world(), changed)
            finally:
                changed.cancel()

    def start_what_can(self, states: States) -> None:
        for service in self.blueprint.stack.services:
            if service.name in self.starting or not startable(service, states, stack=self.blueprint.stack):
                continue
            if (ready := self._with_image(service)) is not None:
                self.starting[service.name] = self._task(self._start(ready))

    def _task(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self.changed.set())
        return task

    async def _await_image(self, name: str, build: str) -> None:
        built: Handle[BuiltImage] = Handle(build, BuiltImage)
        self.images[name] = await built.result()

    async def _watch(self) -> None:
        async with aclosing(the_world().engine.watch(place_of(self.run))) as watch:
            async for states in watch:
                self.states = states
                self.changed.set()

    async def _start(self, service: Service) -> None:
        await the_world().engine.apply(place_of(self.run), self.blueprint.stack, service)

    def _with_image(self, service: Service) -> Service | None:
        image = self.blueprint.image_for(service.name)
        if image is None:
            return service
        built = self.images.get(image.name)
        return replace(service, image=built.reference) if built else None

    def is_up(self, states: States) -> bool:
        """Tell whether all is ready; raises where it never will be, or where the time is over."""
        now = the_world().clock.now()
        if all(task.done() for task in self.building):
            self.images_since = self.images_since or now
        match readiness(self.blueprint.stack, states):
            case Ready():
                return True
            case Hopeless() as never:
                raise RunError(
                    f"{never.service}: {never.message}",
                    reason=never.reason,
                    fault=never.fault,
                    remedy=never.remedy,
                    subject=never.service,
                )
            case Waiting(on=waiting):
                limit = self.blueprint.plan.ready_timeout
                if self.images_since is not None and now - self.images_since > limit:
                    raise _too_late(waiting, limit.total_seconds())
        return False

    async def note(self, states: States) -> None:
        """Tell each change of each service once."""
        for name, state in states.items():
            shown = (state.phase, state.health, state.restarts, state.exit_code, state.reason)
            if self.told.get(name) == shown:
                continue
            self.told[name] = shown
            await tell(
                self.run,
                Kind.SERVICE_CHANGED,
                subject=name,
                key=the_world().clock.now().isoformat(),
                phase=state.phase,
                health=state.health,
                reason=state.reason,
                message=state.message,
                exit_code=state.exit_code,
                restarts=state.restarts,
            )


def _too_late(waiting: Mapping[str, str], seconds: float) -> RunError:
    what = "; ".join(f"{name} waits for {reason}" for name, reason in waiting.items())
    return RunError(
        f"the stack was not ready within {seconds:g} s: {what}",
        reason=Reason.NOT_READY,
        fault=Fault.REPOSITORY,
        remedy=REMEDIES[Reason.NOT_READY],
        subject=next(iter(waiting), ""),
    )
