"""The loop of the controllers: what changed is looked at once by each controller that cares, in the order of the changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from tests.kubernetes.fake_api.kinds import Object, Resource
from tests.kubernetes.fake_api.objects import Objects
from tests.kubernetes.fake_api.problems import Problem
from tests.kubernetes.fake_api.store import Event

_log = logging.getLogger(__name__)
Key = tuple[str, str]
"""Namespace and name."""


class Controller(Protocol):
    def concerned(self, event: Event) -> Iterable[Key]:
        """Name the objects that an event makes worth a look."""
        ...

    def reconcile(self, key: Key) -> None:
        """Write what should follow of an object."""
        ...


class Loop:
    def __init__(self, objects: Objects, make: Iterable[Callable[[Objects, Loop], Controller]]) -> None:
        self._queue: dict[tuple[Controller, Key], None] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._is_due = False
        self.controllers = [made(objects, self) for made in make]
        objects.store.listeners.append(self._notice)

    def later(self, controller: Controller, key: Key, seconds: float) -> None:
        """Look at an object again after a while."""
        loop = asyncio.get_running_loop()

        def due() -> None:
            self._timers.discard(handle)
            self.add(controller, key)

        handle = loop.call_later(max(0.0, seconds), due)
        self._timers.add(handle)

    def add(self, controller: Controller, key: Key) -> None:
        self._queue[(controller, key)] = None
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._drain)

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()

    def _notice(self, event: Event) -> None:
        for controller in self.controllers:
            for key in controller.concerned(event):
                self.add(controller, key)

    def _drain(self) -> None:
        """Look at what is due; leave after a while, so that clients are answered in between."""
        self._is_due = False
        for _ in range(50):
            if not self._queue:
                return
            controller, key = next(iter(self._queue))
            del self._queue[(controller, key)]
            try:
                controller.reconcile(key)
            except Problem as problem:
                _log.info("%s: %s", type(controller).__name__, problem.message)
            except Exception:  # noqa: BLE001 -- one controller's fault must not stop the others; it is logged
                _log.exception("%s failed at %s", type(controller).__name__, key)
        self._is_due = True
        asyncio.get_running_loop().call_soon(self._drain)


def owned(things: Iterable[Object], owner: Object) -> list[Object]:
    """Choose what an object controls."""
    uid = owner["metadata"]["uid"]
    return [
        thing
        for thing in things
        if any(
            r.get("controller") and r["uid"] == uid for r in thing["metadata"].get("ownerReferences") or ()
        )
    ]


def owner_key(event: Event, kind: str) -> Iterable[Key]:
    """Name the controlling owner of what an event is about, where it is of a kind."""
    for reference in event.now["metadata"].get("ownerReferences") or ():
        if reference.get("controller") and reference["kind"] == kind:
            yield event.now["metadata"].get("namespace") or "", reference["name"]


def reference(resource: Resource, thing: Object) -> Object:
    """Refer to a controlling owner."""
    return {
        "apiVersion": resource.api,
        "kind": resource.kind,
        "name": thing["metadata"]["name"],
        "uid": thing["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
