"""What all verbs share: the way to the engine, what is known of it, the marks of its namespaces, and its containers by workload."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import aiodocker

from conductor.adapters.docker.connection.client import Client, Connection, once_more, reaching
from conductor.adapters.docker.containers.facts import EngineFacts
from conductor.adapters.docker.containers.surroundings import Networks
from conductor.adapters.docker.diagnosis import look_at_engine
from conductor.adapters.docker.marks import Marks
from conductor.adapters.docker.watching.processes import SOON
from conductor.adapters.docker.watching.sight import Sight
from conductor.adapters.docker.watching.watcher import Container
from conductor.errors import NotFoundError
from conductor.ports.engine import Place

NOT_RUNNING = "See with `conductor stacks list` what runs there."
NOT_FOUND = 404
SETTLING = timedelta(seconds=10)
BEFORE_TIDYING_UP = ("stopping", "stopped")
"""Podman's words for a container that has ended and is not yet `exited`."""


class Access:
    """One instance's way to one engine. Law: whoever has got a client from it knows the engine's facts."""

    def __init__(self, connection: Connection, *, instance: str, state_folder: Path) -> None:
        self.connection = connection
        self.instance = instance
        self.state_folder = state_folder
        self.marks = Marks(state_folder)
        self.sight = Sight(connection=connection, instance=instance, marks=self.marks)
        self.networks = Networks()
        self.known_facts: EngineFacts | None = None
        """None until the engine was asked."""

    @property
    def facts(self) -> EngineFacts:
        """What the engine said of itself; the usual, where it has not been asked."""
        return self.known_facts or EngineFacts()

    async def client(self) -> Client:
        """Return a client that was answered a moment ago."""
        client = await self.connection.client()
        if self.known_facts is None:
            self.known_facts = await look_at_engine(client)
            self.sight.ask_kernel = self.known_facts.podman and self.known_facts.local
        return client

    @once_more
    async def containers(self, place: Place, workload: str) -> Sequence[Container]:
        """Inspect the containers of a workload; none where it has none."""
        return (await self.sight.containers(place.namespace, workload=workload)).get(workload, ())

    async def identified(self, place: Place, workload: str) -> Sequence[Container]:
        """Return them as they were last seen, for what of them never changes: an engine that is busy is not asked again."""
        return self.sight.known(place.namespace, workload) or await self.containers(place, workload)

    def forget(self, namespace: str) -> None:
        """Let go of what was seen of a namespace."""
        self.networks.forget(namespace)
        self.sight.forget(namespace)

    async def existing(self, place: Place, workload: str) -> Sequence[Container]:
        """Inspect them. Raises `NotFoundError` where there are none."""
        found = await self.containers(place, workload)
        if not found:
            raise NotFoundError(f"there is no {workload} in {place.namespace}", remedy=NOT_RUNNING)
        return found

    async def running(self, place: Place, workload: str) -> Container:
        """Inspect the first that runs. Raises `NotFoundError` where none does."""
        for container in await self.existing(place, workload):
            if container["State"]["Running"]:
                return container
        raise NotFoundError(f"{workload} does not run in {place.namespace}", remedy=NOT_RUNNING)

    async def settled(self, container: str) -> None:
        """Return once the engine has tidied up after a container that ended, or `SETTLING` later.

        Podman takes its files down then, and says of each meanwhile that there is none (4.3.1: seen).
        """
        deadline = asyncio.get_running_loop().time() + SETTLING.total_seconds()
        while asyncio.get_running_loop().time() < deadline:
            found = await self.find(container)
            if found is None or found["State"]["Status"] not in BEFORE_TIDYING_UP:
                return
            await asyncio.sleep(SOON)

    async def find(self, container: str) -> Container | None:
        """Inspect one container by its id; None where it is gone."""
        client = await self.client()
        with reaching(f"looking at {container[:12]}"):
            try:
                return await client.containers.container(container).show()
            except aiodocker.DockerError as error:
                if error.status == NOT_FOUND:
                    return None
                raise
