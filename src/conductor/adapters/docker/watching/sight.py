"""Seeing a namespace: its states at one moment, and their changes, with the health checks that are run meanwhile.

The engine's events say when to look, sooner than they the end of a process on this machine, and a look every `LIVENESS` is for what got
lost. What is seen comes from inspection alone, but for health, which is Conductor's own to know.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiodocker

from conductor.adapters.docker.connection.client import BETWEEN_TRIES, Client, Connection, Patience, reaching
from conductor.adapters.docker.containers.healthcheck import LABEL_HEALTHCHECK, read_healthcheck
from conductor.adapters.docker.execution import execute, said
from conductor.adapters.docker.marks import Marks, Note
from conductor.adapters.docker.watching.health import HealthChecks
from conductor.adapters.docker.watching.kernel import out_of_memory
from conductor.adapters.docker.watching.processes import SOON, until_over
from conductor.adapters.docker.watching.states import Beside, moment, workload_state
from conductor.adapters.docker.watching.watcher import LIVENESS, Container, Watcher
from conductor.domain.names import LABEL_INSTANCE, LABEL_NAMESPACE, LABEL_WORKLOAD
from conductor.domain.stack import Healthcheck
from conductor.domain.states import States
from conductor.errors import ConductorError, UnreachableError

OF_NO_INTEREST = ("exec", "attach", "top", "archive", "export", "health")
CHECK_OUTPUT = 4096
"""Bytes of a health check's output that are kept."""

Containers = Mapping[str, Sequence[Container]]
"""Inspections by workload."""
Notes = Mapping[str, Note]


@dataclass(slots=True)
class Sight:
    """Sees the namespaces of one instance; remembers what inspection does not tell."""

    connection: Connection
    instance: str
    marks: Marks
    ask_kernel: bool = False
    """Whether the engine's containers run under this machine's kernel, and the engine says nothing of memory."""
    checks: HealthChecks = field(default_factory=HealthChecks)
    _exits: dict[str, int] = field(default_factory=dict)
    _memory: dict[str, bool | None] = field(default_factory=dict)
    _seen: dict[str, dict[str, Sequence[Container]]] = field(default_factory=dict)
    _watchers: dict[str, set[Watcher]] = field(default_factory=lambda: defaultdict(set))

    async def states(self, namespace: str) -> States:
        """Return the states now."""
        notes = await self._notes(namespace)
        return await self._read(await self.containers(namespace), notes)

    async def containers(self, namespace: str, *, workload: str | None = None) -> Containers:
        """Inspect the containers of a namespace, or of one of its workloads, by workload, in the order of their names."""
        client = await self.connection.client()
        with reaching(f"looking at {namespace}"):
            listed = await client.containers.list(all=True, filters=self._filters(namespace, workload))
            found = await asyncio.gather(*(_inspect(client, container.id) for container in listed))
        by_workload: dict[str, list[Container]] = defaultdict(list)
        for container in sorted((c for c in found if c), key=lambda c: str(c["Name"])):
            by_workload[container["Config"]["Labels"].get(LABEL_WORKLOAD, "")].append(container)
        self._seen.setdefault(namespace, {}).update(by_workload)
        return by_workload

    async def watch(self, namespace: str) -> AsyncGenerator[States, None]:
        """Yield the states, first at once, then when they change. Raises `UnreachableError` after `PATIENCE`."""
        watcher = Watcher()
        self._watchers[namespace].add(watcher)
        listening = asyncio.create_task(self._listen(namespace))
        lives: set[str] = set()
        try:
            async for states, checked in self._looks(namespace, watcher):
                lives |= checked
                yield states
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await watcher.leave()
            self._watchers[namespace].discard(watcher)
            if not self._watchers[namespace]:
                await self.checks.stop(lives)

    async def _looks(self, namespace: str, watcher: Watcher) -> AsyncGenerator[tuple[States, set[str]], None]:
        patience = Patience()
        notes: Notes = {}
        checked: set[str] = set()
        while True:
            watcher.woken.clear()
            try:
                if watcher.stale:
                    watcher.stale = False
                    notes = await self._notes(namespace)
                    watcher.containers = dict(await self.containers(namespace))
                    checked = self._check(namespace, watcher.containers)
                    self._await_ends(watcher)
                states = await self._read(watcher.containers, notes)
            except UnreachableError as error:
                watcher.stale = True
                await patience.bear(error)
                continue
            patience.well()
            yield states, checked
            await watcher.woken_or_bored()

    def known(self, namespace: str, workload: str) -> Sequence[Container]:
        """Return the containers of a workload as they were last seen in this process, for what of them never changes."""
        return self._seen.get(namespace, {}).get(workload, ())

    def all_known(self, namespace: str) -> Containers:
        """Return the containers of a namespace as they were last seen in this process, by workload."""
        return self._seen.get(namespace, {})

    def forget(self, namespace: str) -> None:
        """Let go of what was seen of a namespace: it goes."""
        self._seen.pop(namespace, None)

    def _await_ends(self, watcher: Watcher) -> None:
        for container in (c for several in watcher.containers.values() for c in several):
            life = _life(container)
            if container["State"]["Status"] == "running" and life not in watcher.ends:
                watcher.ends[life] = asyncio.create_task(self._await_end(watcher, container))

    async def _await_end(self, watcher: Watcher, container: Container) -> None:
        """Show the end of a life that this machine saw as soon as the engine knows of it: its events wait until it has tidied up."""
        if await until_over(container):
            with (
                contextlib.suppress(ConductorError),
                reaching("looking at what ended"),
            ):  # who looks next says so
                async with asyncio.timeout(LIVENESS.total_seconds()):
                    ended = await self._ended(container)
                if ended is not None:
                    watcher.take(ended)

    async def _ended(self, container: Container) -> Container | None:
        """Ask until the engine says that it ended; None where it is gone, or lives again."""
        client = await self.connection.client()
        while (now := await _inspect(client, container["Id"])) and _life(now) == _life(container):
            if not now["State"]["Running"]:
                return now
            await asyncio.sleep(SOON)
        return None

    async def _listen(self, namespace: str) -> None:
        """Wake the watchers at every event of the namespace, and remember how containers ended."""
        while True:
            with contextlib.suppress(UnreachableError):
                client = await self.connection.client()
                with reaching("listening to the engine's events"):
                    async for event in _events(client, {"filters": self._filters(namespace)}):
                        self._take(namespace, event)
            await asyncio.sleep(BETWEEN_TRIES.total_seconds())

    def _take(self, namespace: str, event: Mapping[str, Any]) -> None:
        if str(event.get("Action", "")).startswith(OF_NO_INTEREST):
            return
        code = event.get("Actor", {}).get("Attributes", {}).get("exitCode")
        if event.get("Action") == "die" and code is not None:
            self._exits[event["Actor"]["ID"]] = int(code)
        self.wake(namespace)

    def wake(self, namespace: str, *, inspect: bool = True) -> None:
        """Have whoever watches a namespace look again."""
        for watcher in self._watchers[namespace]:
            watcher.stale |= inspect
            watcher.woken.set()

    def _check(self, namespace: str, containers: Containers) -> set[str]:
        """Run the health checks of what runs; return whose they are."""
        lives = set()
        for container in (c for several in containers.values() for c in several):
            text = (container["Config"].get("Labels") or {}).get(LABEL_HEALTHCHECK)
            began = moment(container["State"].get("StartedAt"))
            if text and began and container["State"]["Status"] == "running":
                lives.add(_life(container))
                age = max(0.0, (datetime.now(UTC) - began).total_seconds())
                check = read_healthcheck(text)
                probe = self._probe(container["Id"], check)
                self.checks.start(
                    _life(container),
                    check,
                    age=age,
                    probe=probe,
                    changed=lambda: self.wake(namespace, inspect=False),
                )
        return lives

    def _probe(self, container: str, check: Healthcheck) -> Callable[[], Any]:
        command = ["/bin/sh", "-c", check.test[1]] if check.test[0] == "CMD-SHELL" else list(check.test[1:])

        async def ask() -> tuple[bool, str]:
            client = await self.connection.client()
            result = await execute(client, container, command, timeout=check.timeout, keep=CHECK_OUTPUT)
            return result.exit_code == 0, said(result)

        return ask

    async def _notes(self, namespace: str) -> Notes:
        """Read the notes; always before looking at containers, or one that was made between the two would count as removed."""
        return await asyncio.to_thread(self.marks.notes, namespace)

    async def _read(self, containers: Containers, notes: Notes) -> States:
        beside = {c["Id"]: await self._beside(c) for several in containers.values() for c in several}
        names = sorted({*containers, *notes})
        return {
            name: workload_state(
                name, containers.get(name, ()), beside, notes.get(name) or Note(workload=name)
            )
            for name in names
        }

    async def _beside(self, container: Container) -> Beside:
        reading = self.checks.reading(_life(container))
        return Beside(
            health=reading.health,
            health_output=reading.output,
            last_exit=await self._last_exit(container),
            out_of_memory=await self._out_of_memory(container),
        )

    async def _last_exit(self, container: Container) -> int | None:
        """Return how a container that runs again ended before: Podman's inspection forgets it, its events do not."""
        if not container.get("RestartCount") or container["State"]["Status"] != "running":
            return None
        if container["Id"] not in self._exits:
            await self._learn_exit(container)
        return self._exits.get(container["Id"])

    async def _learn_exit(self, container: Container) -> None:
        ended = moment(container["State"].get("FinishedAt"))
        if ended is None:
            return
        client = await self.connection.client()
        wanted = {
            "since": str(int(ended.timestamp()) - 1),
            "until": str(int(ended.timestamp()) + 2),
            "filters": json.dumps({"container": [container["Id"]]}),
        }
        with reaching("reading the engine's events"):
            async for event in _events(client, wanted):
                if event.get("Action") == "die":
                    code = event["Actor"]["Attributes"].get("exitCode")
                    self._exits[container["Id"]] = int(code or 0)

    async def _out_of_memory(self, container: Container) -> bool | None:
        limited = bool(container["HostConfig"].get("Memory"))
        over = container["State"]["ExitCode"] or container.get("RestartCount")
        if not (self.ask_kernel and limited and over):
            return None
        life = _life(container)
        if life not in self._memory:
            self._memory[life] = await asyncio.to_thread(out_of_memory, container["Id"])
        return self._memory[life]

    def _filters(self, namespace: str, workload: str | None = None) -> str:
        labels = [f"{LABEL_INSTANCE}={self.instance}", f"{LABEL_NAMESPACE}={namespace}"]
        return json.dumps({"label": [*labels, *([f"{LABEL_WORKLOAD}={workload}"] if workload else [])]})


def _life(container: Container) -> str:
    """Name one life of a container: it has another after each start."""
    return f"{container['Id']}@{container['State'].get('StartedAt')}"


async def _inspect(client: Client, container: str) -> Container | None:
    try:
        return await client.containers.container(container).show()
    except aiodocker.DockerError as error:
        if error.status in (404, 500) and "no such container" in error.message.lower():
            return None
        raise


async def _events(client: Client, parameters: Mapping[str, str]) -> AsyncGenerator[Mapping[str, Any], None]:
    async with client.stream("GET", "events", params=parameters) as response:
        async for line in response.content:
            if line.strip():
                yield json.loads(line)
