"""The loops of a server: deliveries in, runs started, verdicts told, lost ones found, what is over removed, the work of the dead taken on.

Law: a loop never dies of an error; it says so and goes on. What one replica does for all is a duty: held for a while, and taken over when
its holder is gone. Stopping ends each loop after the turn that it is in; nothing of what is left undone is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from conductor import durable
from conductor.errors import ConductorError
from conductor.operations.announce import announce
from conductor.operations.dashboards import keep_dashboards
from conductor.operations.dispatch import Dispatcher
from conductor.operations.intake import take_in
from conductor.operations.issues import free, free_closed
from conductor.operations.reconcile import Reconciler
from conductor.operations.replicas import adopt_orphans, end_silent
from conductor.operations.retention import prune_evidence
from conductor.operations.sweep import sweep, until_next_end
from conductor.ports.issues import Tracking
from conductor.ports.service import Service

_log = logging.getLogger(__name__)

INTAKE, DISPATCH, ANNOUNCE, RECONCILE, SWEEP, CLAIMS, PRUNE, ADOPT, DASHBOARDS = (
    "intake",
    "dispatch",
    "announce",
    "reconcile",
    "sweep",
    "claims",
    "prune",
    "adopt",
    "dashboards",
)


CAUSES_STAY = timedelta(days=90)
"""What asked for a run is remembered so long after its end: until then the same delivery asks for nothing new."""
DELIVERIES_STAY = timedelta(days=30)
"""For so long a settled delivery is shown. What it caused is remembered beyond that, for `CAUSES_STAY`: it starts nothing twice."""


CLOSED_EVERY = timedelta(minutes=5)
"""How often it is asked whether claimed issues are still open."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How often each loop turns where nothing wakes it earlier."""

    intake: timedelta = timedelta(seconds=1)
    dispatch: timedelta = timedelta(seconds=1)
    announce: timedelta = timedelta(seconds=2)
    adopt: timedelta = timedelta(seconds=1)
    claims: timedelta = timedelta(seconds=15)
    prune: timedelta = timedelta(minutes=30)
    dashboards: timedelta = timedelta(seconds=5)
    duty_lasts: timedelta = timedelta(seconds=15)
    """After so long without a word of its holder a duty is another's."""
    grace: timedelta = timedelta(seconds=10)
    """How long a stop waits for the turns that are under way."""


@dataclass(kw_only=True)
class ServerState:
    """What the loops of this process have done since it began, and how they stand; `/metrics` and readiness read it."""

    started_at: datetime
    counts: Counter[str] = field(default_factory=Counter)
    """`deliveries.started`, `runs.begun`, `announcements.failed`, `reconciled.tags`, `swept.namespaces`, `swept.leaks`, ..."""
    leaks: dict[str, str] = field(default_factory=dict)
    """What the last sweep could not remove, with the reason."""
    stuck: dict[str, str] = field(default_factory=dict)
    """What dead processes left and this one cannot go on with, with the reason."""
    failing: dict[str, str] = field(default_factory=dict)
    """Loops whose last turn went wrong, with what was said."""
    turned_at: dict[str, datetime] = field(default_factory=dict)
    """When each loop last came round well."""
    bells: dict[str, asyncio.Event] = field(default_factory=dict)
    is_stopping: bool = False

    def ring(self, *loops: str) -> None:
        """Wake loops before their time: there is news for them. What stores a delivery rings `INTAKE`."""
        for name in loops:
            self.bells.setdefault(name, asyncio.Event()).set()

    def stop(self) -> None:
        """Have each loop end after the turn that it is in: nothing new is begun."""
        self.is_stopping = True
        self.ring(*self.bells)

    def count(self, group: str, counts: Counter[str]) -> None:
        """Add up what a turn did."""
        self.counts.update({f"{group}.{name}": number for name, number in counts.items()})


@dataclass(frozen=True, kw_only=True, slots=True)
class Loop:
    """One loop. `turn` does what there is to do and returns how long nothing needs to be done."""

    name: str
    turn: Callable[[], Awaitable[timedelta]]
    is_duty: bool = False
    """One replica does it for all."""


@asynccontextmanager
async def serve_loops(
    service: Service,
    *,
    state: ServerState | None = None,
    pace: Pace | None = None,
    others: Sequence[Loop] = (),
) -> AsyncIterator[ServerState]:
    """Run the loops while the block lasts. `others` are loops of other parts that run beside these."""
    pace = pace or Pace()
    state = state or ServerState(started_at=service.world.clock.now())
    dispatcher = Dispatcher(service, on_end=lambda: state.ring(DISPATCH, ANNOUNCE))
    loops = [*_loops(service, state, pace, dispatcher), *others]
    tasks = [asyncio.create_task(_go_round(service, state, pace, loop), name=loop.name) for loop in loops]
    try:
        yield state
    finally:
        state.stop()
        await _end(tasks, pace.grace)
        await dispatcher.aclose()
        await _drop_duties(service, loops)


def _loops(service: Service, state: ServerState, pace: Pace, dispatcher: Dispatcher) -> list[Loop]:
    reconciler = Reconciler(service)
    return [
        Loop(name=INTAKE, turn=lambda: _intake(service, state, pace), is_duty=True),
        Loop(name=DISPATCH, turn=lambda: _dispatch(dispatcher, state, pace)),
        Loop(name=ANNOUNCE, turn=lambda: _announce(service, state, pace), is_duty=True),
        Loop(name=RECONCILE, turn=_reconciling(service, state, reconciler), is_duty=True),
        Loop(name=SWEEP, turn=lambda: _sweep(service, state), is_duty=True),
        *(
            [Loop(name=CLAIMS, turn=_freeing(service.tracking, state, pace), is_duty=True)]
            if service.tracking
            else ()
        ),
        Loop(name=PRUNE, turn=lambda: _prune(service, state, pace)),
        Loop(name=ADOPT, turn=lambda: _adopt(service, state, pace)),
        *_watching(service, state, pace),
    ]


def _watching(service: Service, state: ServerState, pace: Pace) -> list[Loop]:
    if service.world.dashboards is None:
        return []
    return [Loop(name=DASHBOARDS, turn=lambda: _dashboards(service, state, pace), is_duty=True)]


async def _dashboards(service: Service, state: ServerState, pace: Pace) -> timedelta:
    state.count("dashboards", await keep_dashboards(service.world))
    return pace.dashboards


async def _intake(service: Service, state: ServerState, pace: Pace) -> timedelta:
    taken = await take_in(service)
    state.count("deliveries", Counter({str(status): n for status, n in taken.counts.items()}))
    if taken.counts:
        state.ring(DISPATCH, ANNOUNCE)
    return timedelta() if taken.is_full else pace.intake


async def _dispatch(dispatcher: Dispatcher, state: ServerState, pace: Pace) -> timedelta:
    state.count("runs", Counter(begun=await dispatcher.turn()))
    return pace.dispatch


async def _announce(service: Service, state: ServerState, pace: Pace) -> timedelta:
    state.count("announcements", await announce(service))
    return pace.announce


def _reconciling(
    service: Service, state: ServerState, reconciler: Reconciler
) -> Callable[[], Awaitable[timedelta]]:
    """Look at everything each `reconcile_every`; at the tags alone each `poll_every` in between, where that is set."""
    policy = service.policy
    last: list[datetime] = []

    async def turn() -> timedelta:
        now = service.world.clock.now()
        whole = not last or now - last[0] >= policy.reconcile_every
        found = await (reconciler.turn() if whole else reconciler.tags())
        if whole:
            found["ended"] += len(await end_silent(service.world))
        if whole:
            last[:] = [now]
            await service.inbox.forget(before=now - DELIVERIES_STAY)
            await service.queue.forget(before=now - CAUSES_STAY)
        state.count("reconciled", found + Counter(turns=1))
        if found["deliveries"] or found["tags"]:
            state.ring(INTAKE, DISPATCH)
        return min(policy.poll_every or policy.reconcile_every, policy.reconcile_every)

    return turn


async def _sweep(service: Service, state: ServerState) -> timedelta:
    swept = await sweep(service.world)
    done = Counter(namespaces=len(swept.removed), things=swept.things, images=len(swept.images))
    state.count("swept", done + Counter(leaks=len(swept.failed.keys() - state.leaks.keys())))
    state.leaks = dict(swept.failed)
    return await until_next_end(service.world)


def _freeing(tracking: Tracking, state: ServerState, pace: Pace) -> Callable[[], Awaitable[timedelta]]:
    """Free claims that are over at each turn; ask the forges for closed issues now and then."""
    last: list[datetime] = []

    async def turn() -> timedelta:
        now = tracking.clock.now()
        state.count("claims", await free(tracking))
        if not last or now - last[0] >= CLOSED_EVERY:
            last[:] = [now]
            state.count("claims", await free_closed(tracking))
        return pace.claims

    return turn


async def _prune(service: Service, state: ServerState, pace: Pace) -> timedelta:
    """Remove evidence that is too old or too much. No duty: each replica looks after the folder that it sees."""
    pruned = await prune_evidence(service.world)
    done = Counter(attempts=len(pruned.removed), bytes=pruned.freed_bytes, packed=pruned.packed)
    state.count("pruned", done)
    return pace.prune


async def _adopt(service: Service, state: ServerState, pace: Pace) -> timedelta:
    adopted = await adopt_orphans(service.world)
    state.count("adopted", Counter(taken=len(adopted.taken)))
    for orphan, why in adopted.left.items():
        if state.stuck.get(orphan) != why:
            _log.error("%s, which a dead process left, cannot be gone on with: %s", orphan, why)
    state.stuck = dict(adopted.left)
    return pace.adopt


async def _go_round(service: Service, state: ServerState, pace: Pace, loop: Loop) -> None:
    """Turn a loop until the server stops."""
    bell = state.bells.setdefault(loop.name, asyncio.Event())
    clock = asyncio.get_running_loop()
    longest = _longest_wait(loop, pace)
    due = clock.time()
    while not state.is_stopping:
        rung = bell.is_set()
        bell.clear()
        pause = longest
        try:
            if not loop.is_duty or await _hold(service, loop, pace):
                if rung or clock.time() >= due:
                    due = clock.time() + (await loop.turn()).total_seconds()
                    _went_well(service, state, loop)
                pause = min(longest, max(0.0, due - clock.time()))
        except Exception as error:  # noqa: BLE001 -- a loop never dies of an error
            _say(state, loop, error)
            due = clock.time()
        with suppress(TimeoutError):
            await asyncio.wait_for(bell.wait(), pause)


def _longest_wait(loop: Loop, pace: Pace) -> float:
    """Return the seconds between two looks at a loop: a duty is held anew well before it lapses, however seldom it turns."""
    return pace.duty_lasts.total_seconds() / 3 if loop.is_duty else pace.dispatch.total_seconds()


def _went_well(service: Service, state: ServerState, loop: Loop) -> None:
    state.turned_at[loop.name] = service.world.clock.now()
    state.failing.pop(loop.name, None)


async def _hold(service: Service, loop: Loop, pace: Pace) -> bool:
    return await service.duties.hold(loop.name, durable.executor(), lasting=pace.duty_lasts)


def _say(state: ServerState, loop: Loop, error: Exception) -> None:
    """Say once what is wrong, and again when it is something else."""
    said = error.message if isinstance(error, ConductorError) else f"{type(error).__name__}: {error}"
    if state.failing.get(loop.name) != said:
        shown = None if isinstance(error, ConductorError) else error
        _log.error("the loop %s: %s", loop.name, said, exc_info=shown)
    state.failing[loop.name] = said


async def _end(tasks: Sequence[asyncio.Task[None]], grace: timedelta) -> None:
    await asyncio.wait(tasks, timeout=grace.total_seconds())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _drop_duties(service: Service, loops: Iterable[Loop]) -> None:
    """Let others have them at once."""
    for loop in loops:
        if loop.is_duty:
            with suppress(ConductorError):
                await service.duties.drop(loop.name, durable.executor())
