"""Who finds and reaches whom: a headless Service for each name, and policies for the namespace and the compose networks.

A Service selects the pods that bear its name as a label: so an alias that several services share is one Service with all of them. A name
that no Service may bear has one under another name (see `hosts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conductor.adapters.kubernetes.manifests.kube_names import is_dns_name, kube_name
from conductor.adapters.kubernetes.manifests.site import Manifest, Site
from conductor.domain.stack import Network, Service, Stack

_DNS = "dns.conductor.dev"
_NETWORK = "network.conductor.dev"
_LOCAL_CACHE = "169.254.20.10/32"
"""Where NodeLocal DNSCache listens on every node."""
_LINK_LOCAL = {"0.0.0.0/0": ["169.254.0.0/16"], "::/0": ["fe80::/10", "fd00:ec2::254/128"]}
"""Where clouds serve credentials of their machines."""


def service_name(name: str) -> str:
    """Name the Service that stands for a name of the stack; DNS does not see upper case."""
    return name.lower() if is_dns_name(name) else kube_name(name, length=63)


def names_on(service: Service, network: str) -> tuple[str, ...]:
    """List the names under which a service is found on one of its networks, none on others."""
    if network not in service.networks:
        return ()
    own = [name for name in (service.container_name, service.hostname) if name]
    return tuple(dict.fromkeys((service.name, *service.networks[network], *own)))


def service_names(service: Service) -> tuple[str, ...]:
    """List the Services that lead to a service."""
    return tuple(dict.fromkeys(service_name(name) for name in service.dns_names))


def pod_labels(service: Service, *, findable: bool) -> dict[str, str]:
    """Return the labels by which Services and policies select the pod. Nobody looks for a test job."""
    names = service_names(service) if findable else ()
    labels = {f"{_DNS}/{name}": "true" for name in names}
    return labels | {f"{_NETWORK}/{kube_name(network)}": "true" for network in service.networks}


def services(stack: Stack, site: Site) -> Iterable[tuple[str, Manifest]]:
    """Yield name and Service for each name of the stack: on every port, from the moment the container starts."""
    names = dict.fromkeys(name for service in stack.services for name in service_names(service))
    family = {"ipFamilyPolicy": "PreferDualStack"} if site.dual_stack else {}
    for name in names:
        spec: Manifest = {
            "clusterIP": "None",
            **family,
            "publishNotReadyAddresses": True,
            "selector": {f"{_DNS}/{name}": "true"},
        }
        yield name, {"apiVersion": "v1", "kind": "Service", "spec": spec}


def policies(stack: Stack, site: Site) -> Iterator[tuple[str, Manifest]]:
    """Yield name and NetworkPolicy: the namespace's own, which allows nobody but the site's callers, then one for each compose network.

    What two of them allow adds up. A pod on no network reaches nothing, not even a name server.
    """
    named = [namespace_peer(caller) for caller in site.callers]
    callers: list[Manifest] = [{"from": named}] if named else []
    yield "namespace", _policy({}, callers, [])
    for network in stack.networks:
        leave = [] if network.internal else _outward(site)
        ingress: list[Manifest] = [{"from": [{"podSelector": _members(network)}]}]
        egress: list[Manifest] = [{"to": [{"podSelector": _members(network)}]}, name_servers(site), *leave]
        yield f"network-{kube_name(network.name)}", _policy(_members(network), ingress, egress)


def name_servers(site: Site) -> Manifest:
    """Let pods ask for names."""
    return {
        "to": [*(namespace_peer(name) for name in site.name_servers), {"ipBlock": {"cidr": _LOCAL_CACHE}}],
        "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
    }


def _outward(site: Site) -> list[Manifest]:
    """Say what is reached outside of the namespace."""
    match site.egress:
        case "deny":
            return []
        case "cluster":
            return [{"to": [{"namespaceSelector": {}}]}]
        case "allow":
            blocks = [{"cidr": cidr, "except": closed} for cidr, closed in _LINK_LOCAL.items()]
            return [{"to": [{"ipBlock": block} for block in blocks]}]
        case networks:
            return [{"to": [{"ipBlock": {"cidr": cidr}} for cidr in networks]}] if networks else []


def namespace_peer(name: str) -> Manifest:
    """Mean all pods of a namespace."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _members(network: Network) -> Manifest:
    return {"matchLabels": {f"{_NETWORK}/{kube_name(network.name)}": "true"}}


def _policy(pods: Manifest, ingress: list[Manifest], egress: list[Manifest]) -> Manifest:
    spec: Manifest = {
        "podSelector": pods,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": ingress,
        "egress": egress,
    }
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": spec}
