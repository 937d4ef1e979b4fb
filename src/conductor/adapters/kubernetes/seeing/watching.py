"""One watch per kind for the whole process: what this instance has on the cluster, kept up to date in memory.

A watch is a list and then what changes from the list's version on. It is listed anew when its version is too old (410), and when it is
silent for longer than a living one ever is: bookmarks come about once a minute, and one from a version of the future would be silent for
ever (tried). Law: what is seen here never goes back: an object older than the one that is known is left out, and what this process wrote
itself is known at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from datetime import timedelta

from conductor.adapters.kubernetes.api.client import Client, Labels, Listing, Parameters, selector
from conductor.adapters.kubernetes.api.kinds import Kind, Manifest
from conductor.adapters.kubernetes.api.problems import ExpiredError, SilentError
from conductor.errors import ConductorError, UnreachableError

SILENCE = timedelta(seconds=100)
"""Longer than between two bookmarks."""
ONE_REQUEST = timedelta(minutes=8)
"""After this the server ends a watch, and it goes on in a new request."""
PATIENCE = timedelta(seconds=30)
"""So long the loss of the API server is borne."""
PAUSES = (0.1, 0.5, 1.0, 2.0)
_log = logging.getLogger(__name__)

Belongs = Callable[[Manifest], bool]
Told = Callable[[str], None]
"""Is told the namespace in which something changed."""


class KindWatch:
    """All objects of one kind that bear the labels, by namespace and name."""

    def __init__(
        self, client: Client, kind: Kind, *, labels: Labels | None, fields: Labels | None, told: Told
    ) -> None:
        self.kind = kind
        self._client = client
        self._labels = labels
        self._fields = fields
        self._told = told
        self._objects: dict[str, dict[str, Manifest]] = defaultdict(dict)
        self.keeps: Belongs = lambda _: True
        self._at = ""
        """The version up to which all is known."""
        self.lost_since: float | None = None
        self.problem: ConductorError | None = None

    def of(self, namespace: str) -> Mapping[str, Manifest]:
        """Return the objects of a namespace by name."""
        return self._objects.get(namespace) or {}

    def counts(self) -> Mapping[str, int]:
        """Return how many there are in each namespace."""
        return {namespace: len(objects) for namespace, objects in self._objects.items()}

    def saw(self, found: Manifest) -> None:
        """Know an object: one that came by the watch, or that this process has just written."""
        namespace, name = _address(found)
        known = self.of(namespace).get(name)
        if not self.keeps(found) or (known is not None and _version(known) >= _version(found)):
            return
        found["metadata"].pop("managedFields", None)
        self._objects[namespace][name] = found
        self._told(namespace)

    async def fill(self) -> None:
        """List anew, and notice what is gone."""
        listing: Listing = await self._client.list(self.kind, labels=self._labels, fields=self._fields)
        there = {_address(found) for found in listing.items}
        for namespace, name in list(self._known()):
            if (namespace, name) not in there and not _is_younger(self.of(namespace)[name], listing.version):
                self._forget(namespace, name)
        for found in listing.items:
            self.saw(found)
        self._at = listing.version

    async def run(self) -> None:
        """Watch from where all is known, for ever."""
        tries = 0
        while True:
            try:
                if not self._at:
                    await self.fill()
                await self._follow()
                tries, self.lost_since, self.problem = 0, None, None
            except ConductorError as error:
                if isinstance(error, ExpiredError | SilentError) or self._is_old():
                    self._at = ""
                self._lost(error)
                await asyncio.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
                tries += 1

    async def _follow(self) -> None:
        """Watch until the server ends the request."""
        parameters: Parameters = {
            "watch": True,
            "allowWatchBookmarks": True,
            "resourceVersion": self._at,
            "timeoutSeconds": int(ONE_REQUEST.total_seconds()),
            "labelSelector": selector(self._labels),
            "fieldSelector": selector(self._fields),
        }
        doing = f"watching {self.kind.plural}"
        silence = SILENCE.total_seconds()
        path = self.kind.path()
        async with self._client.stream(path, doing=doing, parameters=parameters, silence=silence) as answer:
            self.lost_since, self.problem = None, None
            self._told("")
            async for event in _events(answer.aiter_bytes()):
                self._take(event)

    def _take(self, event: Manifest) -> None:
        found = event["object"]
        match event["type"]:
            case "ERROR":
                raise _watch_error(self.kind, found)
            case "DELETED":
                self._was_deleted(found)
            case "ADDED" | "MODIFIED":
                self.saw(found)
        self._at = str((found.get("metadata") or {}).get("resourceVersion") or self._at)

    def _was_deleted(self, found: Manifest) -> None:
        """Forget it, unless another of its name is known already."""
        namespace, name = _address(found)
        known = self.of(namespace).get(name)
        if known is not None and _version(known) <= _version(found):
            self._forget(namespace, name)

    def _forget(self, namespace: str, name: str) -> None:
        if self._objects[namespace].pop(name, None) is not None:
            self._told(namespace)
        if not self._objects[namespace]:
            del self._objects[namespace]

    def _known(self) -> Iterable[tuple[str, str]]:
        return ((namespace, name) for namespace, objects in self._objects.items() for name in objects)

    def _lost(self, error: ConductorError) -> None:
        if self.lost_since is None:
            self.lost_since = asyncio.get_running_loop().time()
        self.problem = error
        _log.info("%s", error.message)
        self._told("")

    def _is_old(self) -> bool:
        """Tell whether a watch is lost for so long that a list is safer than what is known."""
        lost_for = asyncio.get_running_loop().time() - (self.lost_since or float("inf"))
        return lost_for > PATIENCE.total_seconds()


class Cluster:
    """The watches of an instance, started when somebody first looks, and whoever wants to know of changes."""

    def __init__(self, wanted: Mapping[Kind, tuple[Labels | None, Labels | None]]) -> None:
        """Take the kinds to watch, each with its labels and fields."""
        self._wanted = wanted
        self._keeps: dict[Kind, Belongs] = {}
        self._watches: dict[Kind, KindWatch] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._starting = asyncio.Lock()

    async def start(self, client: Client) -> None:
        """List every kind once and watch from there on. Raises what the first list raises."""
        async with self._starting:
            if self._watches:
                return
            watches = {
                kind: KindWatch(client, kind, labels=labels, fields=fields, told=self._tell)
                for kind, (labels, fields) in self._wanted.items()
            }
            for kind, belongs in self._keeps.items():
                watches[kind].keeps = belongs
            self._watches = watches
            try:
                await asyncio.gather(*(watch.fill() for watch in watches.values()))
            except BaseException:
                self._watches = {}
                raise
            self._tasks = [asyncio.create_task(watch.run()) for watch in watches.values()]

    def keeps(self, kind: Kind, belongs: Belongs) -> None:
        """Remember only those objects of a kind, where no label tells them apart."""
        self._keeps[kind] = belongs

    def of(self, kind: Kind, namespace: str) -> tuple[Manifest, ...]:
        """Return what is known of a kind in a namespace, by name."""
        watch = self._watches.get(kind)
        return tuple(found for _, found in sorted(watch.of(namespace).items())) if watch else ()

    def count(self, kinds: Iterable[Kind]) -> Counter[str]:
        """Count what is known of some kinds, by namespace."""
        counts = Counter[str]()
        for kind in kinds:
            if watch := self._watches.get(kind):
                counts.update(watch.counts())
        return counts

    @property
    def is_current(self) -> bool:
        """Tell whether everything is watched, and no watch is lost."""
        return bool(self._tasks) and all(watch.lost_since is None for watch in self._watches.values())

    def saw(self, kind: Kind, found: Manifest | None) -> None:
        """Know at once what this process wrote."""
        if found is not None and (watch := self._watches.get(kind)):
            watch.saw(found)

    async def changes(self, namespace: str, *, tick: timedelta) -> AsyncGenerator[None]:
        """Yield at once, then whenever something changes in a namespace, and at least every tick.

        Raises `UnreachableError` when the API server has been away for too long.
        """
        changed = asyncio.Event()
        self._listeners[namespace].add(changed)
        try:
            while True:
                changed.clear()
                self._check()
                yield
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(tick.total_seconds()):
                        await changed.wait()
        finally:
            self._listeners[namespace].discard(changed)
            if not self._listeners[namespace]:
                del self._listeners[namespace]

    async def aclose(self) -> None:
        """End all watches."""
        tasks, self._tasks, self._watches = self._tasks, [], {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tell(self, namespace: str) -> None:
        for changed in self._listeners.get(namespace, ()):
            changed.set()

    def _check(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()
        now = asyncio.get_running_loop().time()
        for watch in self._watches.values():
            if watch.lost_since is not None and now - watch.lost_since > PATIENCE.total_seconds():
                raise watch.problem or UnreachableError(f"watching {watch.kind.plural}: lost")


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[Manifest]:
    """Yield the events of a watch: one JSON object a line, and only a line feed ends a line."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _watch_error(kind: Kind, status: Manifest) -> ConductorError:
    said = f"watching {kind.plural}: {status.get('message') or status.get('reason')}"
    is_gone = status.get("code") == 410 or status.get("reason") in ("Expired", "Gone")  # noqa: PLR2004 -- HTTP
    return (ExpiredError if is_gone else UnreachableError)(said)


def _address(found: Manifest) -> tuple[str, str]:
    metadata = found["metadata"]
    return str(metadata.get("namespace") or metadata["name"]), str(metadata["name"])


def _version(found: Manifest) -> int:
    """Read the version of an object: comparable as a number (Kubernetes 1.35, KEP 5504; etcd's revision before that)."""
    text = str(found["metadata"].get("resourceVersion") or "0")
    return int(text) if text.isdecimal() else 0


def _is_younger(found: Manifest, version: str) -> bool:
    return version.isdecimal() and _version(found) > int(version)
