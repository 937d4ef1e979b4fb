"""The networks and volumes around a workload: made where they are missing, and what the engine says of the networks remembered.

Podman looks at every container there is to describe a network in Docker's words: 0.1 s and more while others start; in its own words it
takes 1 ms (4.3.1: seen). What is remembered of a network, its labels and its addresses, cannot change while it exists; when it goes,
`forget` is called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiodocker

from conductor.adapters.docker.connection.client import Client, reaching
from conductor.adapters.docker.containers.facts import Config
from conductor.domain.names import LABEL_INSTANCE, LABEL_NAMESPACE
from conductor.errors import ConflictError

NOT_FOUND = 404
LIBPOD = "v4.0.0/libpod"
"""Podman's own API, in the oldest version that all of its fourth and fifth lines speak."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """What never changes of a network."""

    labels: Mapping[str, str]
    subnets: Sequence[str]


class Networks:
    """The networks of one engine that this process has seen or made, by their names."""

    def __init__(self) -> None:
        self._seen: dict[str, Network] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def ensure(self, client: Client, config: Config) -> None:
        """Make a network where there is none of its name. Raises `ConflictError` where it is somebody else's."""
        name, wanted = config["Name"], config["Labels"]
        async with self._locks.setdefault(name, asyncio.Lock()):
            found = await self.find(client, name) or await self._make(client, config)
        if any(found.labels.get(label) != wanted[label] for label in (LABEL_INSTANCE, LABEL_NAMESPACE)):
            raise ConflictError(
                f"a network named {name} is there already, and belongs to somebody else",
                remedy=f"Remove it (`docker network rm {name}`), or start a new run.",
            )

    async def find(self, client: Client, name: str) -> Network | None:
        """Return what the engine says of a network, or said; None where there is none."""
        if name not in self._seen:
            with reaching(f"looking at the network {name}"):
                try:
                    self._seen[name] = await _look(client, name)
                except aiodocker.DockerError as error:
                    if error.status != NOT_FOUND:
                        raise
        return self._seen.get(name)

    async def subnets(self, client: Client, names: set[str]) -> Mapping[str, str]:
        """Map networks to their IPv4 ranges; those without one are left out."""
        subnets: dict[str, str] = {}
        for name in names:
            found = await self.find(client, name)
            if subnet := next((one for one in (found.subnets if found else ()) if "." in one), None):
                subnets[name] = subnet
        return subnets

    def forget(self, namespace: str) -> None:
        """Let what was seen of a namespace's networks go: they go, or may have gone."""
        for name in [name for name in self._seen if name.startswith(namespace)]:
            del self._seen[name]

    async def _make(self, client: Client, config: Config) -> Network:
        name = config["Name"]
        with reaching(f"making the network {name}"):
            try:
                await client.networks.create(config)
            except aiodocker.DockerError as error:
                if "already" not in error.message:
                    raise
        return await self.find(client, name) or Network(labels=config["Labels"], subnets=())


async def _look(client: Client, name: str) -> Network:
    if client.podman:
        own = await client.ask("GET", f"{LIBPOD}/networks/{name}/json", versioned=False)
        return Network(labels=own.get("labels") or {}, subnets=_subnets(own.get("subnets"), "subnet"))
    said = await client.ask("GET", f"networks/{name}")
    ranges = (said.get("IPAM") or {}).get("Config")
    return Network(labels=said.get("Labels") or {}, subnets=_subnets(ranges, "Subnet"))


def _subnets(ranges: Sequence[Mapping[str, str]] | None, key: str) -> Sequence[str]:
    return tuple(one[key] for one in ranges or () if key in one)


async def ensure_volume(client: Client, config: Config) -> None:
    """Make a volume where there is none of its name: the API answers with the one that is there."""
    with reaching(f"making the volume {config['Name']}"):
        await client.ask("POST", "volumes/create", body=config)
