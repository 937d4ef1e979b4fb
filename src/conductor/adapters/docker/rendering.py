"""What the engine will be told, shown to people: secrets by their names, and what an image says about itself not known yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from conductor.adapters.docker.containers import convert
from conductor.adapters.docker.containers.binds import volume_config
from conductor.adapters.docker.containers.facts import EngineFacts, ImageFacts, Kind
from conductor.adapters.docker.containers.naming import container_names, network_names
from conductor.adapters.docker.containers.networks import network_config, with_stack_networks
from conductor.adapters.docker.containers.wording import for_people
from conductor.domain.stack import Job, Service, Stack
from conductor.ports.engine import Place

Shown = Mapping[str, object]


def rendered(
    place: Place, stack: Stack, jobs: Sequence[Job], *, instance: str, facts: EngineFacts
) -> Iterator[Shown]:
    """Yield the networks, the volumes and the containers of a stack and its jobs, each with its configuration."""
    internal = {network.name for network in stack.networks if network.internal}
    for network, name in network_names(place, stack).items() or {"": place.namespace}.items():
        config = network_config(place, name, instance=instance, internal=network in internal, facts=facts)
        yield {"network": name, "config": config}
    for volume in stack.volumes:
        config = volume_config(place, volume, instance=instance)
        yield {"volume": config["Name"], "config": config}
    for service, kind in _workloads(stack, jobs):
        config = convert.container(
            place, stack, service,
            instance=instance, kind=kind, facts=facts, image=ImageFacts(), wording=for_people(place),
        )  # fmt: skip
        for name in container_names(place, service):
            yield {"container": name, "config": config}


def _workloads(stack: Stack, jobs: Sequence[Job]) -> list[tuple[Service, Kind]]:
    services: list[tuple[Service, Kind]] = [(service, "service") for service in stack.services]
    return services + [(with_stack_networks(stack, job), "job") for job in jobs]
