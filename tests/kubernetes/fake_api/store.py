"""The objects, their versions, and what happened to them: what etcd and the watch cache are to a real API server.

Law: an object that is stored is never changed in place; each write is a new object with a new version, and one event.
"""

from __future__ import annotations

import asyncio
import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property

from tests.kubernetes.fake_api.kinds import Object, Resource, names

REMEMBERED = 200_000
"""Events that are kept before the oldest half is forgotten."""


@dataclass(frozen=True)
class Event:
    """One change. `before` is what was there, `now` what is (the last state where it was deleted)."""

    version: int
    type: str
    resource: Resource
    now: Object
    before: Object | None

    @cached_property
    def text(self) -> str:
        """The object as JSON: written once for all watches."""
        return json.dumps(self.now)


class Store:
    def __init__(self) -> None:
        self._objects: dict[Resource, dict[tuple[str, str], Object]] = defaultdict(dict)
        self._by_namespace: dict[str, set[tuple[Resource, str]]] = defaultdict(set)
        self.version = 1000
        self.oldest = 1000
        """From this version on a watch may go on."""
        self.history: list[Event] = []
        self.listeners: list[Callable[[Event], None]] = []
        self._waiting: set[asyncio.Event] = set()
        self.writes = 0

    def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        return self._objects[resource].get((namespace, name))

    def all(self, resource: Resource, namespace: str = "") -> list[Object]:
        """Return all in a namespace, or everywhere, in the order of etcd: by namespace and name."""
        if namespace and resource.namespaced:
            keys = [
                (namespace, name) for kind, name in self._by_namespace.get(namespace, ()) if kind is resource
            ]
        else:
            keys = list(self._objects[resource])
        return [self._objects[resource][key] for key in sorted(keys)]

    def content(self, namespace: str) -> list[tuple[Resource, Object]]:
        """Return all that is in a namespace."""
        inside = sorted(self._by_namespace.get(namespace, ()), key=lambda found: (found[0].plural, found[1]))
        return [(resource, self._objects[resource][(namespace, name)]) for resource, name in inside]

    def put(self, resource: Resource, thing: Object) -> Object:
        """Store an object, new or changed; return it with its version."""
        key = names(thing)
        before = self._objects[resource].get(key)
        thing["metadata"]["resourceVersion"] = self._next()
        self._objects[resource][key] = thing
        if key[0]:
            self._by_namespace[key[0]].add((resource, key[1]))
        self._tell("MODIFIED" if before else "ADDED", resource, thing, before)
        return thing

    def remove(self, resource: Resource, thing: Object) -> Object:
        """Take an object away; return its last state, which has the version of its end."""
        key = names(thing)
        before = self._objects[resource].pop(key)
        self._by_namespace[key[0]].discard((resource, key[1]))
        last = deepcopy(thing)
        last["metadata"]["resourceVersion"] = self._next()
        self._tell("DELETED", resource, last, before)
        return last

    def compact(self) -> None:
        """Forget what happened until now: who watches from an older version has to list anew."""
        self.history.clear()
        self.oldest = self.version

    def since(self, version: int) -> Iterator[Event]:
        """Yield what happened after a version."""
        start = bisect_right(self.history, version, key=lambda event: event.version)
        yield from self.history[start:]

    async def changed(self, version: int, patience: float) -> bool:
        """Wait until there is something after `version`, or `patience` seconds are over."""
        if self.version > version:
            return True
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            await asyncio.wait_for(event.wait(), patience)
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(event)
        return True

    def wake(self) -> None:
        """Let all who wait look again."""
        for waiting in self._waiting:
            waiting.set()

    def _next(self) -> str:
        self.version += 1
        self.writes += 1
        return str(self.version)

    def _tell(self, what: str, resource: Resource, now: Object, before: Object | None) -> None:
        event = Event(self.version, what, resource, now, before)
        self.history.append(event)
        if len(self.history) > REMEMBERED:
            del self.history[: REMEMBERED // 2]
            self.oldest = self.history[0].version - 1
        for listener in self.listeners:
            listener(event)
        self.wake()
