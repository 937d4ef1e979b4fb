"""The docker engine: the verbs of `ports.engine`, each a few lines over the parts of this folder.

A namespace is a bridge network that bears its name (and one more for each compose network where there are several), and all that bears
its label. The lease is a file in the state folder: labels cannot change.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import aiodocker

from conductor.adapters.docker import archives
from conductor.adapters.docker.connection.client import Client, Connection, Patience, once_more, reaching
from conductor.adapters.docker.containers import convert
from conductor.adapters.docker.containers.convert import EngineFacts, ImageFacts, Kind
from conductor.adapters.docker.containers.placement import Placement, ensure_network
from conductor.adapters.docker.containers.unsupported import unsupported
from conductor.adapters.docker.diagnosis import diagnose, look_at_engine
from conductor.adapters.docker.execution import execute
from conductor.adapters.docker.inventory import Inventory
from conductor.adapters.docker.logs.sources import read_log
from conductor.adapters.docker.marks import Marks, Note
from conductor.adapters.docker.terminal import attach
from conductor.adapters.docker.watching.sight import Container, Sight
from conductor.adapters.docker.watching.states import will_restart
from conductor.domain.account import Entry
from conductor.domain.lease import Lease, NamespaceInfo
from conductor.domain.report import LogLine
from conductor.domain.stack import Job, Service, Stack
from conductor.domain.states import States
from conductor.errors import NotFoundError, UnreachableError
from conductor.ports.engine import Diagnosis, ExecResult, Place
from conductor.ports.secrets import Secrets

NOT_RUNNING = "See with `conductor stacks list` what runs there."
RESTART_TIME = timedelta(seconds=5)
"""So long a log waits for a container that its engine starts again."""


class DockerEngine:
    """Docker or Podman, by its API."""

    name = "docker"
    collect_limit_bytes = archives.LIMIT_BYTES
    """More than this is not collected of one job."""

    def __init__(
        self, connection: Connection, *, instance: str, state_folder: Path, secrets: Secrets | None = None
    ) -> None:
        self._connection = connection
        self._instance = instance
        self._state_folder = state_folder
        self._secrets = secrets
        self._marks = Marks(state_folder)
        self._sight = Sight(connection=connection, instance=instance, marks=self._marks)
        self._inventory = Inventory(connection=connection, instance=instance, marks=self._marks)
        self._facts: EngineFacts | None = None

    def unsupported(self, stack: Stack, jobs: Sequence[Job] = ()) -> tuple[Entry, ...]:
        """List what this engine cannot do of what is asked."""
        return unsupported(stack, jobs, facts=self._facts)

    def render(self, place: Place, stack: Stack, jobs: Sequence[Job] = ()) -> Sequence[Mapping[str, object]]:
        """Show what the engine will be told; what an image says about itself is not known yet."""
        facts = self._facts or EngineFacts()
        internal = {network.name for network in stack.networks if network.internal}
        shown: list[Mapping[str, object]] = []
        for network, name in convert.network_names(place, stack).items() or {"": place.namespace}.items():
            config = convert.network(
                place, name, instance=self._instance, internal=network in internal, facts=facts
            )
            shown.append({"network": name, "config": config})
        for volume in stack.volumes:
            config = convert.volume(place, volume, instance=self._instance)
            shown.append({"volume": config["Name"], "config": config})
        for service, kind in _workloads(stack, jobs):
            config = convert.container(
                place, stack, service,
                instance=self._instance, kind=kind, facts=facts, image=ImageFacts(), wording=convert.shown(place),
            )  # fmt: skip
            shown += [
                {"container": name, "config": config} for name in convert.container_names(place, service)
            ]
        return shown

    @once_more
    async def create_namespace(self, place: Place, lease: Lease) -> None:
        """Write the mark, then make the network: what is cut off between the two is swept by the mark."""
        self._marks.write_lease(lease)
        client = await self._client()
        config = convert.network(
            place,
            place.namespace,
            instance=self._instance,
            internal=False,
            facts=self._facts or EngineFacts(),
        )
        await ensure_network(client, config)

    @once_more
    async def apply(self, place: Place, stack: Stack, service: Service) -> None:
        """Make the service run, or note why it does not."""
        await self._put(place, stack, service, "service")

    @once_more
    async def start_job(self, place: Place, stack: Stack, job: Job) -> None:
        """Start the job on the networks of the stack, or adopt it."""
        await self._put(place, stack, convert.with_stack_networks(stack, job), "job")

    @once_more
    async def stop(self, place: Place, workload: str, *, grace: timedelta) -> None:
        """End a workload, and remember that it was us."""
        note = self._marks.note(place.namespace, workload)
        alive = [c for c in await self._containers(place, workload) if _is_alive(c, note)]
        if alive:
            self._marks.write_note(place.namespace, replace(note, stopped=True))
            await asyncio.gather(*(self._stop(c, math.ceil(grace.total_seconds())) for c in alive))

    async def watch(self, place: Place) -> AsyncGenerator[States, None]:
        """Yield the states, first at once, then whenever they change."""
        await self._client()
        before: States | None = None
        async with contextlib.aclosing(self._sight.watch(place.namespace)) as seen:
            async for states in seen:
                if states != before:
                    before = states
                    yield states

    @once_more
    async def states(self, place: Place) -> States:
        """Return the states now."""
        await self._client()
        return await self._sight.states(place.namespace)

    async def logs(
        self, place: Place, workload: str, *, since: datetime | None = None, follow: bool = False
    ) -> AsyncGenerator[LogLine, None]:
        """Yield the lines of a workload; those of replicas one after the other, or, followed, as they come."""
        containers = await self._containers(place, workload)
        several = [self._log(place, workload, c["Id"], since=since, follow=follow) for c in containers]
        if len(several) == 1:
            async with contextlib.aclosing(several[0]) as lines:
                async for line in lines:
                    yield line
        elif several:
            async with contextlib.aclosing(_side_by_side(several)) as lines:
                async for line in lines:
                    yield line

    async def exec(
        self,
        place: Place,
        workload: str,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: timedelta | None = None,
    ) -> ExecResult:
        """Run a command in the first running container of the workload."""
        container = await self._running(place, workload)
        return await execute(await self._client(), container["Id"], command, stdin=stdin, timeout=timeout)

    async def attach(self, place: Place, workload: str, command: Sequence[str], *, tty: bool) -> int:
        """Run a command with this process's terminal."""
        container = await self._running(place, workload)
        return await attach(await self._client(), container["Id"], command, tty=tty)

    @once_more
    async def copy_in(self, place: Place, workload: str, path: str, archive: bytes) -> None:
        """Unpack an archive in every container of the workload."""
        for container in await self._existing(place, workload):
            await archives.copy_in(await self._client(), container["Id"], path, archive)

    async def copy_out(self, place: Place, workload: str, path: str) -> AsyncGenerator[bytes, None]:
        """Yield an archive of a path of the workload's first container."""
        container = (await self._existing(place, workload))[0]
        async with contextlib.aclosing(
            archives.copy_out(await self._client(), container["Id"], path)
        ) as chunks:
            async for chunk in chunks:
                yield chunk

    async def collect(self, place: Place, job: Job) -> AsyncGenerator[bytes, None]:
        """Yield an archive of what the job's globs match; an empty one where its container never was."""
        found = await self._containers(place, job.workload.name)
        globs = (*job.reports, *job.artifacts) if found else ()
        container = found[0]["Id"] if found else ""
        working_dir = (found[0]["Config"].get("WorkingDir") if found else None) or "/"
        chunks = archives.collect(
            await self._client(), container, globs, working_dir, limit_bytes=self.collect_limit_bytes
        )
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    @once_more
    async def url_of(self, place: Place, service: str, port: int) -> str:
        """Return the published address, else the container's own where this machine is its network's host."""
        await self._client()
        container = await self._running(place, service)
        settings = container["NetworkSettings"]
        for binding in (settings.get("Ports") or {}).get(f"{port}/tcp") or ():
            return f"{binding.get('HostIp') or '127.0.0.1'}:{binding['HostPort']}"
        addresses = [n["IPAddress"] for n in (settings.get("Networks") or {}).values() if n.get("IPAddress")]
        if addresses and (self._facts or EngineFacts()).networks_reachable:
            return f"{addresses[0]}:{port}"
        raise NotFoundError(
            f"port {port} of {service} cannot be reached from this machine",
            remedy=f"Start the run with --publish {service}:{port}.",
        )

    @once_more
    async def sleep(self, place: Place) -> None:
        """Stop all that runs, and remember that it sleeps."""
        going: list[Container] = []
        for workload, containers in (await self._sight.containers(place.namespace)).items():
            note = self._marks.note(place.namespace, workload)
            alive = [c for c in containers if _is_alive(c, note)]
            if alive:
                self._marks.write_note(place.namespace, replace(note, asleep=True))
                going += alive
        await asyncio.gather(*(self._stop(c, None) for c in going))

    @once_more
    async def wake(self, place: Place, service: str) -> None:
        """Start what sleeps; what had ended before it fell asleep stays as it was."""
        note = self._marks.note(place.namespace, service)
        if not note.asleep:
            return
        client = await self._client()
        for container in await self._containers(place, service):
            if not container["State"]["Running"]:
                with reaching(f"starting {service}"):
                    await client.containers.container(container["Id"]).start()
        self._marks.write_note(place.namespace, replace(note, asleep=False))

    @once_more
    async def mark(self, lease: Lease) -> None:
        """Write the lease on its namespace."""
        if not await self._inventory.exists(lease.namespace):
            raise NotFoundError(
                f"there is no namespace {lease.namespace}",
                remedy="`conductor stacks list` names those there are.",
            )
        self._marks.write_lease(lease)

    @once_more
    async def namespaces(self) -> Sequence[NamespaceInfo]:
        """List what this instance has on the engine, or has marked; from then on it is known what the engine can do."""
        await self._client()
        return await self._inventory.namespaces()

    @once_more
    async def delete_namespace(self, namespace: str) -> int:
        """Remove all that bears the namespace's label, and its mark last."""
        return await self._inventory.delete(namespace)

    async def diagnose(self) -> Sequence[Diagnosis]:
        """Look at the engine for `doctor`."""
        return await diagnose(self._connection, self._state_folder)

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._connection.aclose()

    async def _client(self) -> Client:
        client = await self._connection.client()
        if self._facts is None:
            self._facts = await look_at_engine(client)
            self._sight.ask_kernel = self._facts.podman and self._facts.local
        return client

    async def _put(self, place: Place, stack: Stack, service: Service, kind: Kind) -> None:
        client = await self._client()
        await Placement(
            client=client, place=place, stack=stack, service=service, kind=kind, instance=self._instance,
            facts=self._facts or EngineFacts(), marks=self._marks, secrets=self._secrets,
        ).carry_out()  # fmt: skip

    @once_more
    async def _containers(self, place: Place, workload: str) -> Sequence[Container]:
        return (await self._sight.containers(place.namespace)).get(workload, ())

    async def _existing(self, place: Place, workload: str) -> Sequence[Container]:
        found = await self._containers(place, workload)
        if not found:
            raise NotFoundError(f"there is no {workload} in {place.namespace}", remedy=NOT_RUNNING)
        return found

    async def _running(self, place: Place, workload: str) -> Container:
        for container in await self._existing(place, workload):
            if container["State"]["Running"]:
                return container
        raise NotFoundError(f"{workload} does not run in {place.namespace}", remedy=NOT_RUNNING)

    async def _stop(self, container: Container, grace: int | None) -> None:
        client = await self._client()
        if not container["State"][
            "Running"
        ]:  # its engine is about to start it again, and can only stop what runs
            await self._comes_back(container["Id"])
        with reaching(f"stopping {container['Name'].lstrip('/')}"):
            try:
                await client.containers.container(container["Id"]).stop(t=grace)
            except aiodocker.DockerError as error:
                if error.status not in (304, 404):
                    raise

    async def _log(
        self, place: Place, workload: str, container: str, *, since: datetime | None, follow: bool
    ) -> AsyncGenerator[LogLine, None]:
        """Yield one container's log; followed, through its restarts and a short loss of the engine."""
        patience = Patience()
        while True:
            try:
                found = await self._find(container)
                if found is None:
                    return
                lines = read_log(await self._client(), found, workload, since=since, follow=follow)
                async with contextlib.aclosing(lines):
                    async for line in lines:
                        since = line.at
                        yield line
                if not follow or not await self._goes_on(place, workload, container):
                    return
                patience.well()
            except UnreachableError as error:
                if not follow:
                    raise
                await patience.bear(error)

    async def _goes_on(self, place: Place, workload: str, container: str) -> bool:
        """Tell whether a container whose log ended runs again, or will."""
        deadline = asyncio.get_running_loop().time() + RESTART_TIME.total_seconds()
        while asyncio.get_running_loop().time() < deadline:
            found = await self._find(container)
            if found is None:
                return False
            if found["State"]["Running"]:
                return True
            if not will_restart(found, self._marks.note(place.namespace, workload)):
                return False
            await asyncio.sleep(0.1)
        return False

    async def _comes_back(self, container: str) -> None:
        deadline = asyncio.get_running_loop().time() + RESTART_TIME.total_seconds()
        while asyncio.get_running_loop().time() < deadline:
            found = await self._find(container)
            if found is None or found["State"]["Running"]:
                return
            await asyncio.sleep(0.1)

    async def _find(self, container: str) -> Container | None:
        client = await self._client()
        with reaching(f"looking at {container[:12]}"):
            try:
                return await client.containers.container(container).show()
            except aiodocker.DockerError as error:
                if error.status == 404:  # noqa: PLR2004 -- HTTP
                    return None
                raise


def _workloads(stack: Stack, jobs: Sequence[Job]) -> list[tuple[Service, Kind]]:
    services: list[tuple[Service, Kind]] = [(service, "service") for service in stack.services]
    return services + [(convert.with_stack_networks(stack, job), "job") for job in jobs]


def _is_alive(container: Container, note: Note) -> bool:
    return bool(container["State"]["Running"]) or will_restart(container, note)


async def _side_by_side(sources: Sequence[AsyncIterator[LogLine]]) -> AsyncGenerator[LogLine, None]:
    """Yield from all as they come."""
    queue: asyncio.Queue[LogLine | None] = asyncio.Queue(maxsize=1000)

    async def pour(source: AsyncIterator[LogLine]) -> None:
        try:
            async for line in source:
                await queue.put(line)
        finally:
            await queue.put(None)

    tasks = [asyncio.create_task(pour(source)) for source in sources]
    try:
        open_sources = len(tasks)
        while open_sources:
            line = await queue.get()
            if line is None:
                open_sources -= 1
            else:
                yield line
        for task in tasks:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
