"""Who finds and reaches whom: a headless Service for each DNS name, and policies for the namespace and the compose networks.

A Service selects the pods that bear its name as a label: so an alias that several services share is one Service with all of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from conductor.adapters.kubernetes.manifests.kube_names import is_dns_name, kube_name
from conductor.adapters.kubernetes.manifests.site import Manifest, Site
from conductor.domain.stack import Network, Service, Stack

_DNS = "dns.conductor.dev"
_NETWORK = "network.conductor.dev"


def dns_names(service: Service) -> tuple[str, ...]:
    """List the names under which a service is found in Kubernetes; DNS does not see upper case."""
    return tuple(dict.fromkeys(name.lower() for name in service.dns_names if is_dns_name(name)))


def pod_labels(service: Service, *, findable: bool) -> dict[str, str]:
    """Return the labels by which Services and policies select the pod. Nobody looks for a test job."""
    names = dns_names(service) if findable else ()
    labels = {f"{_DNS}/{name}": "true" for name in names}
    return labels | {f"{_NETWORK}/{kube_name(network)}": "true" for network in service.networks}


def services(stack: Stack) -> Iterable[tuple[str, Manifest]]:
    """Yield name and Service for each DNS name of the stack: on every port, from the moment the container starts."""
    names = dict.fromkeys(name for service in stack.services for name in dns_names(service))
    for name in names:
        spec: Manifest = {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {f"{_DNS}/{name}": "true"},
        }
        yield name, {"apiVersion": "v1", "kind": "Service", "spec": spec}


def policies(stack: Stack, site: Site) -> Iterable[tuple[str, Manifest]]:
    """Yield name and NetworkPolicy: the namespace's own, then one for each compose network. What two of them allow adds up."""
    outward: list[Manifest] = [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]}]
    name_server: Manifest = {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }
    callers: list[Manifest] = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": caller}}}
        for caller in site.callers
    ]
    yield "namespace", _policy({}, [{"from": callers}] if callers else [], [name_server])
    for network in stack.networks:
        leave = outward if site.egress and not network.internal else []
        ingress: list[Manifest] = [{"from": [{"podSelector": _members(network)}]}]
        egress: list[Manifest] = [{"to": [{"podSelector": _members(network)}]}, *leave]
        yield _policy_name(network), _policy(_members(network), ingress, egress)


def _members(network: Network) -> Manifest:
    return {"matchLabels": {f"{_NETWORK}/{kube_name(network.name)}": "true"}}


def _policy_name(network: Network) -> str:
    return f"network-{kube_name(network.name)}"


def _policy(pods: Manifest, ingress: list[Manifest], egress: list[Manifest]) -> Manifest:
    spec: Manifest = {
        "podSelector": pods,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": ingress,
        "egress": egress,
    }
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": spec}
