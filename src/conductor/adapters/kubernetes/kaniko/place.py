"""The namespace of builds: Conductor's own, with bounds before anything runs in it.

Law: whatever a Dockerfile runs reaches name servers, the Internet and what the site names; no private address, no pod, no Service, and
not the API server. Nobody reaches it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from conductor.adapters.kubernetes.kaniko.site import KanikoSite, Reach
from conductor.adapters.kubernetes.manifests.kube_names import label_value
from conductor.adapters.kubernetes.manifests.network import name_servers, namespace_peer
from conductor.adapters.kubernetes.manifests.render import MANAGED_BY
from conductor.adapters.kubernetes.manifests.site import Manifest, Site
from conductor.adapters.kubernetes.namespaces import BUILDS
from conductor.domain.names import LABEL_INSTANCE, LABEL_KIND

_SECURITY = "pod-security.kubernetes.io"
_PRIVATE = {
    "0.0.0.0/0": [
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
    ],
    "::/0": ["::1/128", "fc00::/7", "fe80::/10"],
}
"""Where clusters have pods, Services and API servers, and clouds the credentials of their machines (RFC 1918, 4193, 6598)."""


def namespace_of(site: Site, kaniko: KanikoSite) -> str:
    """Name the namespace in which this Conductor builds."""
    return kaniko.namespace or f"conductor-builds-{site.instance}"[:63].rstrip("-")


def labels_of(site: Site) -> dict[str, str]:
    """Return the labels of everything that builds consist of."""
    return {MANAGED_BY: "conductor", LABEL_INSTANCE: label_value(site.instance)}


def namespace(site: Site, kaniko: KanikoSite) -> Manifest:
    """Make the namespace. Builds unpack images as root, so `baseline` is the most that can be enforced."""
    security = {
        f"{_SECURITY}/enforce": "baseline",
        f"{_SECURITY}/enforce-version": site.pod_security_version,
    }
    labels = {**labels_of(site), LABEL_KIND: BUILDS, **security}
    metadata: Manifest = {"name": namespace_of(site, kaniko), "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def bounds(
    site: Site, kaniko: KanikoSite, *, hosts: Sequence[str] = (), closed: Sequence[str] = ()
) -> Iterator[Manifest]:
    """Yield what bounds the namespace. `hosts` (`HOST[:PORT]`) are reached, `closed` addresses (the API server's) are not."""
    shared = {"namespace": namespace_of(site, kaniko), "labels": labels_of(site)}
    yield {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", **shared},
        "automountServiceAccountToken": False,
    }
    reaches = [*kaniko.reaches, *(reach for host in hosts if (reach := _reach(host)))]
    rules = [name_servers(site), _internet(closed), *map(_rule, dict.fromkeys(reaches))]
    yield {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "builds", **shared},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],
            "egress": rules,
        },
    }


def _internet(closed: Sequence[str]) -> Manifest:
    addresses = [address for text in closed if (address := _address(text))]
    blocks: list[Manifest] = []
    for cidr, private in _PRIVATE.items():
        version = 6 if ":" in cidr else 4
        own = [f"{one}/{one.max_prefixlen}" for one in addresses if one.version == version]
        blocks.append({"cidr": cidr, "except": [*private, *sorted(set(own))]})
    return {"to": [{"ipBlock": block} for block in blocks]}


def _rule(reach: Reach) -> Manifest:
    to = namespace_peer(reach.namespace) if reach.namespace else {"ipBlock": {"cidr": reach.network}}
    ports = {"ports": [{"protocol": "TCP", "port": reach.port}]} if reach.port else {}
    return {"to": [to], **ports}


def _reach(host: str) -> Reach | None:
    """Open the way to a host that is named by its address; names cannot be said in a policy."""
    parts = urlsplit(f"//{host}")
    address = _address(parts.hostname or "")
    if address is None:
        return None
    return Reach(network=f"{address}/{address.max_prefixlen}", port=parts.port or 0)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
