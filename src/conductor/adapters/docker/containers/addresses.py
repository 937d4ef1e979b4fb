"""Fixed addresses and names in /etc/hosts, where the engine's own name service cannot be relied on.

Podman's name server is one process for all networks of the machine. Each time any network anywhere comes or goes it starts anew, and
names that are asked for in that moment go unanswered for up to half a minute (Podman 4.3 with aardvark-dns 1.4: seen). Tests of one run
would fail because another run begins. So on Podman each service has a fixed address, worked out from its place in the stack, and every
container knows its neighbours by file. The name server is asked for everything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_network
from typing import Any

from conductor.adapters.docker.containers.networks import endpoints
from conductor.domain.stack import Service, Stack
from conductor.ports.engine import Place

FIRST = 10
"""Addresses below are the engine's to give: its gateway, and jobs, which nobody has to find."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Addresses:
    """The fixed addresses of a stack. `subnets` maps the engine's networks to their IPv4 ranges; one that is missing has none."""

    place: Place
    stack: Stack
    subnets: Mapping[str, str]

    def of(self, service: str, replica: int, network: str) -> str | None:
        """Return the address of a container on a network; None where it has no fixed one."""
        subnet = ip_network(self.subnets[network]) if network in self.subnets else None
        slot = self._slots().get((service, replica))
        if subnet is None or slot is None or FIRST + slot >= subnet.num_addresses - 1:
            return None
        return str(IPv4Address(int(subnet.network_address) + FIRST + slot))

    def endpoints(self, service: Service, replica: int) -> Mapping[str, dict[str, Any]]:
        """Return the workload's endpoints with its addresses in them."""
        made: dict[str, dict[str, Any]] = {}
        for network, endpoint in endpoints(self.place, self.stack, service).items():
            address = self.of(service.name, replica, network)
            made[network] = (
                {**endpoint, "IPAMConfig": {"IPv4Address": address}} if address else dict(endpoint)
            )
        return made

    def hosts(self, service: Service) -> list[str]:
        """List `name:address` of every service on a network of this one, itself among them."""
        own = list(endpoints(self.place, self.stack, service))
        return list(
            dict.fromkeys(entry for other in self.stack.services for entry in self._names(other, own))
        )

    def _names(self, other: Service, networks: list[str]) -> Iterator[str]:
        theirs = endpoints(self.place, self.stack, other)
        for network in networks:
            if network not in theirs:
                continue
            for replica in range(other.replicas):
                address = self.of(other.name, replica, network)
                if address:
                    yield from (f"{name}:{address}" for name in theirs[network]["Aliases"])

    def _slots(self) -> Mapping[tuple[str, int], int]:
        containers = [(s.name, replica) for s in self.stack.services for replica in range(s.replicas)]
        return {container: slot for slot, container in enumerate(containers)}
