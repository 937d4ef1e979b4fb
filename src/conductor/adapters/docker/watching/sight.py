"""Seeing a namespace: its states at one moment, and their changes, with the health checks that are run meanwhile.

The engine's events say when to look, and a look every `LIVENESS` is for those that got lost; what is seen comes from inspection alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiodocker

from conductor.adapters.docker.connection.client import BETWEEN_TRIES, Client, Connection, Patience, reaching
from conductor.adapters.docker.containers.healthcheck import LABEL_HEALTHCHECK, read_healthcheck
from conductor.adapters.docker.execution import execute, said
from conductor.adapters.docker.marks import Marks, Note
from conductor.adapters.docker.watching.health import HealthChecks
from conductor.adapters.docker.watching.kernel import out_of_memory
from conductor.adapters.docker.watching.states import Beside, moment, workload_state
from conductor.domain.names import LABEL_INSTANCE, LABEL_NAMESPACE, LABEL_WORKLOAD
from conductor.domain.stack import Healthcheck
from conductor.domain.states import States
from conductor.errors import UnreachableError

LIVENESS = timedelta(seconds=3)
OF_NO_INTEREST = ("exec", "attach", "top", "archive", "export", "health")
CHECK_OUTPUT = 4096
"""Bytes of a health check's output that are kept."""

Container = Mapping[str, Any]
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
    _watchers: dict[str, set[asyncio.Event]] = field(default_factory=lambda: defaultdict(set))

    async def states(self, namespace: str) -> States:
        """Return the states now."""
        notes = await self._notes(namespace)
        return await self._read(await self.containers(namespace), notes)

    async def containers(self, namespace: str) -> Containers:
        """Inspect every container of a namespace, by workload, in the order of their names."""
        client = await self.connection.client()
        with reaching(f"looking at {namespace}"):
            listed = await client.containers.list(all=True, filters=self._filters(namespace))
            found = await asyncio.gather(*(_inspect(client, container.id) for container in listed))
        by_workload: dict[str, list[Container]] = defaultdict(list)
        for container in sorted((c for c in found if c), key=lambda c: str(c["Name"])):
            by_workload[container["Config"]["Labels"].get(LABEL_WORKLOAD, "")].append(container)
        return by_workload

    async def watch(self, namespace: str) -> AsyncGenerator[States, None]:
        """Yield the states, first at once, then when they change. Raises `UnreachableError` after `PATIENCE`."""
        look = asyncio.Event()
        self._watchers[namespace].add(look)
        listening = asyncio.create_task(self._listen(namespace))
        lives: set[str] = set()
        try:
            async for states, checked in self._looks(namespace, look):
                lives |= checked
                yield states
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            self._watchers[namespace].discard(look)
            if not self._watchers[namespace]:
                await self.checks.stop(lives)

    async def _looks(
        self, namespace: str, look: asyncio.Event
    ) -> AsyncGenerator[tuple[States, set[str]], None]:
        patience = Patience()
        while True:
            look.clear()
            try:
                notes = await self._notes(namespace)
                containers = await self.containers(namespace)
                checked = self._check(namespace, containers)
                states = await self._read(containers, notes)
            except UnreachableError as error:
                await patience.bear(error)
                continue
            patience.well()
            yield states, checked
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LIVENESS.total_seconds()):
                    await look.wait()

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
        self._wake(namespace)

    def _wake(self, namespace: str) -> None:
        for look in self._watchers[namespace]:
            look.set()

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
                    _life(container), check, age=age, probe=probe, changed=lambda: self._wake(namespace)
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

    def _filters(self, namespace: str) -> str:
        return json.dumps({"label": [f"{LABEL_INSTANCE}={self.instance}", f"{LABEL_NAMESPACE}={namespace}"]})


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
