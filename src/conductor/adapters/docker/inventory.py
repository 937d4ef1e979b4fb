"""What an instance has on the engine: found by its labels, joined with its marks, and removed.

Law: nothing without this instance's label is ever seen or touched.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiodocker

from conductor.adapters.docker.connection.client import CANNOT_CONNECT, Client, Connection, reaching
from conductor.adapters.docker.marks import Marks
from conductor.adapters.docker.watching.states import moment
from conductor.domain.lease import NamespaceInfo
from conductor.domain.names import LABEL_INSTANCE, LABEL_NAMESPACE, LABEL_RUN
from conductor.errors import UnreachableError

ROUNDS = 100
"""Times that we look whether all is gone, with a short wait between: 20 s in all."""
BETWEEN_ROUNDS = 0.2


@dataclass(slots=True)
class Found:
    """What of one namespace is on the engine."""

    run: str = ""
    containers: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    created: list[datetime] = field(default_factory=list)

    @property
    def ids(self) -> set[str]:
        """Everything, by what the engine calls it."""
        return {*self.containers, *self.networks, *self.volumes}


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """The belongings of one instance."""

    connection: Connection
    instance: str
    marks: Marks

    async def namespaces(self) -> Sequence[NamespaceInfo]:
        """List the namespaces that have anything on the engine, or a mark."""
        found = await self._find()
        names = sorted({*found, *self.marks.leased()})
        return [self._info(name, found.get(name, Found())) for name in names]

    async def exists(self, namespace: str) -> bool:
        """Tell whether there is anything of a namespace."""
        return self.marks.find_lease(namespace) is not None or namespace in await self._find(namespace)

    async def delete(self, namespace: str) -> int:
        """Remove all of a namespace; return how many containers, networks and volumes were removed once they are gone."""
        removed: set[str] = set()
        for _ in range(ROUNDS):
            found = (await self._find(namespace)).get(namespace)
            if found is None:
                await asyncio.to_thread(self.marks.forget, namespace)
                return len(removed)
            removed |= found.ids
            await self._remove(found)
            if (await self._find(namespace)).get(namespace):
                await asyncio.sleep(BETWEEN_ROUNDS)
        raise UnreachableError(
            f"the engine does not get rid of all of {namespace}",
            remedy=f"Look with `docker ps -a --filter label={LABEL_NAMESPACE}={namespace}`.",
        )

    async def _remove(self, found: Found) -> None:
        client = await self.connection.client()
        await asyncio.gather(*(_end(client, container) for container in found.containers))
        await asyncio.gather(*(_quietly(client.ask("DELETE", f"networks/{name}")) for name in found.networks))
        await asyncio.gather(
            *(
                _quietly(client.ask("DELETE", f"volumes/{name}", params={"force": True}))
                for name in found.volumes
            )
        )

    async def _find(self, namespace: str | None = None) -> Mapping[str, Found]:
        client = await self.connection.client()
        labels = [
            f"{LABEL_INSTANCE}={self.instance}",
            *([f"{LABEL_NAMESPACE}={namespace}"] if namespace else []),
        ]
        filters = {"filters": json.dumps({"label": labels})}
        with reaching("listing what is on the engine"):
            containers, networks, volumes = await asyncio.gather(
                client.ask("GET", "containers/json", params={"all": True, **filters}),
                client.ask("GET", "networks", params=filters),
                client.ask("GET", "volumes", params=filters),
            )
        found: dict[str, Found] = {}
        for container in containers:
            self._of(found, container).containers.append(container["Id"])
        for network in networks:
            self._of(found, network).networks.append(network["Id"])
        for volume in volumes.get("Volumes") or ():
            self._of(found, volume).volumes.append(volume["Name"])
        return {name: one for name, one in found.items() if namespace in (None, name)}

    def _of(self, found: dict[str, Found], record: Mapping[str, Any]) -> Found:
        """Return where a record belongs; the engine's filters are not believed."""
        labels = record.get("Labels") or {}
        if labels.get(LABEL_INSTANCE) != self.instance:
            return Found()
        one = found.setdefault(labels.get(LABEL_NAMESPACE, ""), Found())
        one.run = labels.get(LABEL_RUN, one.run)
        created = record.get("Created") if isinstance(record.get("Created"), str) else None
        one.created += [at] if (at := moment(created)) else []
        return one

    def _info(self, name: str, found: Found) -> NamespaceInfo:
        lease = self.marks.find_lease(name)
        return NamespaceInfo(
            name=name,
            run=found.run or (lease.run if lease else ""),
            lease=lease,
            created_at=min(found.created, default=lease.created_at if lease else None),
            workloads=len(found.containers),
        )


async def _end(client: Client, container: str) -> None:
    """Kill, then remove with its anonymous volumes: Podman's forced removal waits for the container's grace."""
    one = client.containers.container(container)
    await _quietly(one.kill())
    await _quietly(one.delete(force=True, v=True))


async def _quietly(removal: Awaitable[Any]) -> None:
    """Let it fail: whether it is gone is looked at afterwards."""
    with reaching("removing what is on the engine"):
        try:
            await removal
        except aiodocker.DockerError as error:
            if error.status == CANNOT_CONNECT:
                raise
