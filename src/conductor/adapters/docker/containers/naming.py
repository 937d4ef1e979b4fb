"""What things are called on the engine: worked out from the run and the stack, never looked up; and the labels that say whose they are."""

from __future__ import annotations

from collections.abc import Mapping

from conductor.domain.names import LABEL_INSTANCE, LABEL_NAMESPACE, LABEL_RUN
from conductor.domain.stack import Service, Stack
from conductor.ports.engine import Place

LABEL_DEPENDS_ON = "conductor.dev/depends-on"
"""The workloads that a container's own depends on, with commas: they are stopped after it."""


def container_names(place: Place, service: Service) -> tuple[str, ...]:
    """Name the containers of a workload: one, or one for each replica.

    >>> container_names(Place(namespace="conductor-a", run="a"), Service(name="web", replicas=2))
    ('conductor-a-web-1', 'conductor-a-web-2')
    """
    name = f"{place.namespace}-{service.name}"
    if service.replicas == 1:
        return (name,)
    return tuple(f"{name}-{number}" for number in range(1, service.replicas + 1))


def volume_name(place: Place, volume: str) -> str:
    """Name a volume of the stack on the engine."""
    return f"{place.namespace}-{volume}"


def network_names(place: Place, stack: Stack) -> Mapping[str, str]:
    """Map each compose network in use to the engine's: one plain network is the namespace's own, several are one each."""
    used = dict.fromkeys(name for service in stack.services for name in service.networks)
    declared = [network.name for network in stack.networks]
    ordered = sorted(
        used, key=lambda name: (declared.index(name) if name in declared else len(declared), name)
    )
    if len(ordered) <= 1 and not any(network.internal for network in stack.networks if network.name in used):
        return dict.fromkeys(ordered, place.namespace)
    return {name: f"{place.namespace}-{name}" for name in ordered}


def labels(place: Place, instance: str) -> dict[str, str]:
    """Label what belongs to a namespace."""
    return {LABEL_INSTANCE: instance, LABEL_RUN: place.run, LABEL_NAMESPACE: place.namespace}


def own_labels(given: Mapping[str, str]) -> dict[str, str]:
    """Take labels of the repository, but for those that are Conductor's word."""
    return {name: value for name, value in given.items() if not name.startswith("conductor.dev/")}
