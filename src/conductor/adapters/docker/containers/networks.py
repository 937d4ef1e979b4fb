"""Networks, and how workloads are known on them; the ports that were asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from conductor.adapters.docker.containers.facts import Config, EngineFacts
from conductor.adapters.docker.containers.naming import labels, network_names
from conductor.domain.stack import Job, Service, Stack
from conductor.errors import UsageError
from conductor.ports.engine import Place


def network_config(place: Place, name: str, *, instance: str, internal: bool, facts: EngineFacts) -> Config:
    """Describe a bridge network.

    Podman lets networks reach each other by address unless told not to; netavark 1.4 forgets that again when any other such network of
    the machine goes (seen), so that there only names keep to their networks.
    """
    options = {"isolate": "true"} if facts.podman else {}
    return {
        "Name": name, "Driver": "bridge", "CheckDuplicate": True, "Internal": internal,
        "Labels": labels(place, instance), "Options": options,
    }  # fmt: skip


def with_stack_networks(stack: Stack, job: Job) -> Service:
    """Put a job that names no networks of its own on all of the stack's."""
    everywhere = dict.fromkeys((n for s in stack.services for n in s.networks), ()) or {"default": ()}
    named = dict(job.workload.networks) != {"default": ()}
    return job.workload if named else _on(job.workload, everywhere)


def endpoints(place: Place, stack: Stack, service: Service) -> Mapping[str, Config]:
    """Map the engine's networks to how the workload is known there: its name, and what aliases it has on that network."""
    names = network_names(place, stack)
    also = [name for name in (service.container_name, service.hostname) if name]
    card = {"MacAddress": service.mac_address} if service.mac_address else {}
    return {
        names.get(network, place.namespace): {
            "Aliases": list(dict.fromkeys([service.name, *aliases, *also])),
            **card,
        }
        for network, aliases in service.networks.items()
    }


def published(place: Place, service: str) -> Mapping[int, int | None]:
    """Map the ports of a service that were asked for to their host ports; None is any free one.

    >>> published(Place(namespace="n", run="r", publish=("web:80=8080", "web:9000", "db:5432")), "web")
    {80: 8080, 9000: None}
    """
    ports: dict[int, int | None] = {}
    for wish in place.publish:
        name, _, rest = wish.rpartition(":")
        target, _, host = rest.partition("=")
        if not name or not target.isdigit() or (host and not host.isdigit()):
            raise UsageError(
                f"cannot read the port to publish {wish!r}",
                remedy="Write SERVICE:PORT or SERVICE:PORT=HOSTPORT.",
            )
        if name == service:
            ports[int(target)] = int(host) if host else None
    return ports


def exposed(place: Place, service: Service) -> dict[str, Config]:
    """Name the ports a container opens, by what its service says and what was asked for."""
    declared = [f"{port.target}/{port.protocol}" for port in service.ports]
    declared += [f"{port}/tcp" for port in (*service.expose, *published(place, service.name))]
    return {port: {} for port in dict.fromkeys(declared)}


def _on(service: Service, networks: Mapping[str, tuple[str, ...]]) -> Service:
    return replace(service, networks=networks)
