"""Misfortunes on request: what an API server, or the way to it, does on a bad day."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.kubernetes.fake_api.problems import Problem, internal, too_many


@dataclass
class _Due:
    verb: str
    resource: str
    left: int
    make: Callable[[], Problem]


@dataclass
class Faults:
    """What is to go wrong. Verbs are those of RBAC (`get`, `list`, `watch`, `create`, `update`, `patch`, `delete`), resources plurals.

    `*` is any.
    """

    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each verb and resource was asked for."""
    tokens_expired: bool = False
    denied: set[tuple[str, str]] = field(default_factory=set)
    """Verbs and resources for which the client lacks the right."""
    _due: list[_Due] = field(default_factory=list)
    _held: dict[tuple[str, str], asyncio.Event] = field(default_factory=dict)
    _silent: set[str] = field(default_factory=set)
    _watches: dict[str, set[Watching]] = field(default_factory=dict)

    def fail_next(
        self, make: Callable[[], Problem], *, verb: str = "*", resource: str = "*", times: int = 1
    ) -> None:
        """Let the next requests of a kind fail."""
        self._due.append(_Due(verb, resource, times, make))

    def conflict(self, resource: str, *, verb: str = "*", times: int = 1) -> None:
        """Let something else have changed the object meanwhile."""
        said = "the object has been modified; please apply your changes to the latest version and try again"
        text = f"Operation cannot be fulfilled on {resource}: {said}"
        self.fail_next(lambda: Problem(409, "Conflict", text), verb=verb, resource=resource, times=times)

    def busy(self, *, retry_after: int = 0, verb: str = "*", resource: str = "*", times: int = 1) -> None:
        """Answer 429 with Retry-After in seconds."""
        self.fail_next(lambda: too_many(retry_after), verb=verb, resource=resource, times=times)

    def broken(self, *, verb: str = "*", resource: str = "*", times: int = 1) -> None:
        """Answer 500."""
        self.fail_next(
            lambda: internal("etcdserver: request timed out"), verb=verb, resource=resource, times=times
        )

    def hold(self, verb: str, resource: str) -> Callable[[], None]:
        """Let requests of a kind wait (a slow list); call what is returned to let them go on."""
        event = self._held[(verb, resource)] = asyncio.Event()

        def release() -> None:
            self._held.pop((verb, resource), None)
            event.set()

        return release

    def expire_watches(self, resource: str) -> int:
        """Tell all watches of a kind that their version is too old (410); return how many there were."""
        return self._end(resource, "expired")

    def drop_watches(self, resource: str) -> int:
        """Cut the connections of all watches of a kind."""
        return self._end(resource, "dropped")

    def silence(self, resource: str) -> None:
        """Let watches of a kind tell nothing from now on, without ending."""
        self._silent.add(resource)

    def speak(self, resource: str) -> None:
        """End the silence."""
        self._silent.discard(resource)
        for watching in self._watches.get(resource, ()):
            watching.changed.set()

    def watches(self, resource: str) -> int:
        """Count the open watches of a kind."""
        return len(self._watches.get(resource, ()))

    async def meet(self, verb: str, resource: str) -> None:
        """Go through what is due for a request."""
        self.asked[(verb, resource)] += 1
        if held := self._held.get((verb, resource)):
            await held.wait()
        for due in self._due:
            if due.verb in ("*", verb) and due.resource in ("*", resource):
                due.left -= 1
                if not due.left:
                    self._due.remove(due)
                raise due.make()

    def watching(self, resource: str) -> Watching:
        """Register a watch."""
        found = Watching(self, resource)
        self._watches.setdefault(resource, set()).add(found)
        return found

    def is_silent(self, resource: str) -> bool:
        return resource in self._silent

    def forget(self, watching: Watching) -> None:
        self._watches[watching.resource].discard(watching)

    def _end(self, resource: str, how: str) -> int:
        found = self._watches.get(resource, set())
        for watching in found:
            watching.ended = how
            watching.changed.set()
        return len(found)


@dataclass(eq=False)
class Watching:
    """One open watch. `ended` is `expired` or `dropped` once it is to end that way."""

    faults: Faults
    resource: str
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: str = ""

    def close(self) -> None:
        self.faults.forget(self)
