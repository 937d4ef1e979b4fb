"""The docker engine: the verbs of `ports.engine`, each a few lines over the parts of this folder.

A namespace is a bridge network that bears its name (and one more for each compose network where there are several), and all that bears
its label. The lease is a file in the state folder: labels cannot change.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from conductor.adapters.docker import archives, ending
from conductor.adapters.docker.access import Access
from conductor.adapters.docker.connection.client import Connection, once_more
from conductor.adapters.docker.containers.facts import Kind
from conductor.adapters.docker.containers.networks import network_config, with_stack_networks
from conductor.adapters.docker.containers.placement import Placement
from conductor.adapters.docker.containers.unsupported import unsupported
from conductor.adapters.docker.diagnosis import diagnose
from conductor.adapters.docker.execution import execute
from conductor.adapters.docker.inventory import Inventory
from conductor.adapters.docker.logs.following import lines_of
from conductor.adapters.docker.rendering import rendered
from conductor.adapters.docker.terminal import attach
from conductor.adapters.docker.usage import Statistics
from conductor.domain.account import Entry
from conductor.domain.lease import Lease, NamespaceInfo
from conductor.domain.report import LogLine
from conductor.domain.stack import Job, Service, Stack
from conductor.domain.states import States
from conductor.errors import NotFoundError, RefusedError
from conductor.ports.engine import Address, Diagnosis, ExecResult, Place
from conductor.ports.secrets import Secrets
from conductor.ports.terminal import Terminal
from conductor.ports.usage import Used


class DockerEngine:
    """Docker or Podman, by its API."""

    name = "docker"
    collect_limit_bytes = archives.LIMIT_BYTES
    """More than this is not collected of one job."""

    def __init__(
        self, connection: Connection, *, instance: str, state_folder: Path, secrets: Secrets | None = None
    ) -> None:
        self._access = Access(connection, instance=instance, state_folder=state_folder)
        self._inventory = Inventory(connection=connection, instance=instance, marks=self._access.marks)
        self._secrets = secrets
        self._statistics = Statistics(self._access)

    def unsupported(self, stack: Stack, jobs: Sequence[Job] = ()) -> tuple[Entry, ...]:
        """List what this engine cannot do of what is asked."""
        return unsupported(stack, jobs, facts=self._access.known_facts)

    def render(self, place: Place, stack: Stack, jobs: Sequence[Job] = ()) -> Sequence[Mapping[str, object]]:
        """Show what the engine will be told; what an image says about itself is not known yet."""
        return list(rendered(place, stack, jobs, instance=self._access.instance, facts=self._access.facts))

    @once_more
    async def create_namespace(self, place: Place, lease: Lease) -> None:
        """Write the mark, then make the network: what is cut off between the two is swept by the mark."""
        access = self._access
        access.marks.write_lease(lease)
        access.forget(place.namespace)
        client = await access.client()
        config = network_config(
            place, place.namespace, instance=access.instance, internal=False, facts=access.facts
        )
        await access.networks.ensure(client, config)

    @once_more
    async def apply(self, place: Place, stack: Stack, service: Service) -> None:
        """Make the service run, or note why it does not."""
        await self._put(place, stack, service, "service")

    @once_more
    async def start_job(self, place: Place, stack: Stack, job: Job) -> None:
        """Start the job on the networks of the stack, or adopt it."""
        await self._put(place, stack, with_stack_networks(stack, job), "job")

    @once_more
    async def stop(self, place: Place, workload: str, *, grace: timedelta) -> None:
        """End a workload, and remember that it was us."""
        await ending.stop(self._access, place, workload, grace=grace)

    async def watch(self, place: Place) -> AsyncGenerator[States, None]:
        """Yield the states, first at once, then whenever they change."""
        await self._access.client()
        before: States | None = None
        async with contextlib.aclosing(self._access.sight.watch(place.namespace)) as seen:
            async for states in seen:
                if states != before:
                    before = states
                    yield states

    @once_more
    async def states(self, place: Place) -> States:
        """Return the states now."""
        await self._access.client()
        return await self._access.sight.states(place.namespace)

    async def usage(self, place: Place) -> Mapping[str, Used]:
        """Measure what each workload uses."""
        return await self._statistics.usage(place)

    async def logs(
        self, place: Place, workload: str, *, since: datetime | None = None, follow: bool = False
    ) -> AsyncGenerator[LogLine, None]:
        """Yield the lines of a workload; those of replicas one after the other, or, followed, as they come."""
        lines = lines_of(self._access, place, workload, since=since, follow=follow)
        async with contextlib.aclosing(lines):
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
        container = await self._access.running(place, workload)
        return await execute(
            await self._access.client(), container["Id"], command, stdin=stdin, timeout=timeout
        )

    async def attach(self, place: Place, workload: str, command: Sequence[str], terminal: Terminal) -> int:
        """Run a command with somebody's terminal."""
        container = await self._access.running(place, workload)
        return await attach(await self._access.client(), container["Id"], command, terminal)

    @once_more
    async def copy_in(self, place: Place, workload: str, path: str, archive: bytes) -> None:
        """Unpack an archive in every container of the workload."""
        for container in await self._access.existing(place, workload):
            await archives.copy_in(await self._access.client(), container["Id"], path, archive)

    async def copy_out(self, place: Place, workload: str, path: str) -> AsyncGenerator[bytes, None]:
        """Yield an archive of a path of the workload's first container."""
        container = (await self._access.existing(place, workload))[0]
        await self._access.settled(container["Id"])
        async with contextlib.aclosing(
            archives.copy_out(await self._access.client(), container["Id"], path)
        ) as chunks:
            async for chunk in chunks:
                yield chunk

    async def collect(self, place: Place, job: Job) -> AsyncGenerator[bytes, None]:
        """Yield an archive of what the job's globs match; an empty one where its container never was."""
        found = await self._access.identified(place, job.workload.name)
        for one in found:
            await self._access.settled(one["Id"])
        globs = (*job.reports, *job.artifacts) if found else ()
        container = found[0]["Id"] if found else ""
        working_dir = (found[0]["Config"].get("WorkingDir") if found else None) or "/"
        chunks = archives.collect(
            await self._access.client(), container, globs, working_dir, limit_bytes=self.collect_limit_bytes
        )
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    @once_more
    async def url_of(self, place: Place, service: str, port: int) -> str:
        """Return the published address, else the container's own where this machine is its network's host."""
        await self._access.client()
        container = await self._access.running(place, service)
        settings = container["NetworkSettings"]
        for binding in (settings.get("Ports") or {}).get(f"{port}/tcp") or ():
            return f"{binding.get('HostIp') or '127.0.0.1'}:{binding['HostPort']}"
        addresses = [n["IPAddress"] for n in (settings.get("Networks") or {}).values() if n.get("IPAddress")]
        if addresses and self._access.facts.networks_reachable:
            return f"{addresses[0]}:{port}"
        raise NotFoundError(
            f"port {port} of {service} cannot be reached from this machine",
            remedy=f"Start the run with --publish {service}:{port}.",
        )

    async def address_of(
        self, place: Place, stack: Stack, service: str, *, port: int | None = None
    ) -> Address:
        """Refuse it: there is no ingress beside this engine."""
        del stack, port
        raise RefusedError(
            f"services on the engine {self.name} have no addresses of their own",
            remedy=f"`conductor stacks open {place.run} {service}:PORT` opens a port on this machine.",
        )

    @once_more
    async def sleep(self, place: Place) -> None:
        """Stop all that runs, and remember that it sleeps."""
        await ending.put_to_sleep(self._access, place)

    @once_more
    async def wake(self, place: Place, service: str) -> None:
        """Start what sleeps; what had ended before it fell asleep stays as it was."""
        await ending.wake(self._access, place, service)

    @once_more
    async def mark(self, lease: Lease) -> None:
        """Write the lease on its namespace."""
        if not await self._inventory.exists(lease.namespace):
            raise NotFoundError(
                f"there is no namespace {lease.namespace}",
                remedy="`conductor stacks list` names those there are.",
            )
        self._access.marks.write_lease(lease)

    @once_more
    async def namespaces(self) -> Sequence[NamespaceInfo]:
        """List what this instance has on the engine, or has marked; from then on it is known what the engine can do."""
        await self._access.client()
        return await self._inventory.namespaces()

    @once_more
    async def delete_namespace(self, namespace: str) -> int:
        """Remove all that bears the namespace's label, and its mark last."""
        self._access.forget(namespace)
        return await self._inventory.delete(namespace)

    async def diagnose(self) -> Sequence[Diagnosis]:
        """Look at the engine for `doctor`."""
        return await diagnose(self._access.connection, self._access.state_folder)

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._access.connection.aclose()

    async def _put(self, place: Place, stack: Stack, service: Service, kind: Kind) -> None:
        access = self._access
        client = await access.client()
        await Placement(
            client=client, place=place, stack=stack, service=service, kind=kind, instance=access.instance,
            facts=access.facts, marks=access.marks, secrets=self._secrets, networks=access.networks,
        ).carry_out()  # fmt: skip
        access.sight.wake(place.namespace)  # what was noted of it is no event of the engine
