"""Addresses of a stack's services: a gate in its namespace, which alone the ingress reaches, and what leads to it.

An address is a host, `<service>-<run>.<domain>`; other ports than the first have hosts of their own, `<service>-<port>-<run>.<domain>`.
The gate knows all of them; the ingress leads only to those that were asked for. Law: of the token nothing but its SHA-256 is in the
cluster. It is worked out from the installation's key and the namespace's name (HMAC-SHA256), so it is stored nowhere.

Sources: Ingress (networking.k8s.io/v1), HTTPRoute (gateway.networking.k8s.io/v1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conductor.adapters.kubernetes.manifests.kube_names import kube_name, label_value
from conductor.adapters.kubernetes.manifests.network import name_servers, namespace_peer, service_name
from conductor.adapters.kubernetes.manifests.site import Addresses, Manifest, Site
from conductor.domain.names import LABEL_KIND, LABEL_RUN
from conductor.domain.stack import Service, Stack
from conductor.ports.engine import Place

NAME = "conductor-gate"
PORT = 8080
USER = 10001
LONGEST_LABEL = 63
_KIND = "gate"
_MANAGED_BY = "app.kubernetes.io/managed-by"


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One address: who visits `host` gets what `target` serves on `port`."""

    service: str
    port: int
    host: str
    target: str
    """The name under which the gate finds the service."""

    @property
    def key(self) -> str:
        """Name what leads to it: hosts are longer than names and labels may be."""
        return hashlib.sha256(self.host.encode()).hexdigest()[:16]


def token(addresses: Addresses, namespace: str) -> str:
    """Work out the token of a stack: 256 bits in base32, in lower case.

    >>> len(token(Addresses(domain="x.org", key="k" * 32), "conductor-shop-k3v9qd"))
    52
    """
    made = hmac.digest(addresses.key.encode(), f"gate:{namespace}".encode(), hashlib.sha256)
    return base64.b32encode(made).decode().rstrip("=").lower()


def routes(place: Place, stack: Stack, domain: str) -> tuple[Route, ...]:
    """List the addresses of a stack: one for each tcp port that a service declares in `ports` or `expose`.

    A host that two of them would have is the first one's alone.
    """
    made: dict[str, Route] = {}
    for service in stack.services:
        host_service = _listener(stack, service)
        for number, port in enumerate(declared_ports(service)):
            host = host_name(place, service.name, domain, port=port if number else None)
            if host_service:
                route = Route(
                    service=service.name, port=port, host=host, target=service_name(host_service.name)
                )
                made.setdefault(host, route)
    return tuple(made.values())


def declared_ports(service: Service) -> tuple[int, ...]:
    """List the tcp ports of a service, published ones first."""
    published = (port.target for port in service.ports if port.protocol == "tcp")
    return tuple(dict.fromkeys((*published, *service.expose)))


def host_name(place: Place, service: str, domain: str, *, port: int | None = None) -> str:
    """Name the host of a service, or of another than its first port.

    >>> host_name(Place(namespace="conductor-shop-k3v9qd-2", run="shop-k3v9qd"), "web", "stacks.example.org", port=9000)
    'web-9000-shop-k3v9qd-2.stacks.example.org'
    """
    stack = place.namespace.removeprefix("conductor-")
    end = f"-{stack}" if port is None else f"-{port}-{stack}"
    return f"{kube_name(service, length=max(LONGEST_LABEL - len(end), 10))}{end}.{domain}".lower()


def gate(place: Place, routes: Sequence[Route], site: Site, addresses: Addresses) -> Iterator[Manifest]:
    """Yield the gate of a stack, its Service and its policies first: nothing reaches it before they are there."""
    labels = _labels(place)
    for name, policy in _policies(routes, site, addresses):
        yield _made(place, "networking.k8s.io/v1", "NetworkPolicy", name, policy)
    ports = [{"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"}]
    yield _made(place, "v1", "Service", NAME, {"selector": labels, "ports": ports})
    spec: Manifest = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": _pod(place, routes, site, addresses),
        },
    }
    yield _made(place, "apps/v1", "Deployment", NAME, spec)


def way(place: Place, route: Route, addresses: Addresses) -> Manifest:
    """Make what leads from a host to the gate: an Ingress, or an HTTPRoute where the site has a Gateway."""
    name = f"address-{route.key}"
    if addresses.gateway:
        return _made(
            place, "gateway.networking.k8s.io/v1", "HTTPRoute", name, _http_route(route, addresses.gateway)
        )
    backend = {"service": {"name": NAME, "port": {"name": "http"}}}
    rule = {"host": route.host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec: Manifest = {"rules": [rule]}
    spec |= {"ingressClassName": addresses.ingress_class} if addresses.ingress_class else {}
    spec |= {"tls": [{"hosts": [route.host]}]} if addresses.scheme == "https" else {}
    return _made(place, "networking.k8s.io/v1", "Ingress", name, spec)


def _http_route(route: Route, gateway: str) -> Manifest:
    namespace, _, name = gateway.partition("/")
    return {
        "parentRefs": [{"namespace": namespace, "name": name}],
        "hostnames": [route.host],
        "rules": [{"backendRefs": [{"name": NAME, "port": PORT}]}],
    }


def _listener(stack: Stack, service: Service) -> Service | None:
    """Return the service whose network answers for a service: its own mostly; None where there is none."""
    seen: set[str] = set()
    while service.network_of and service.name not in seen:
        seen.add(service.name)
        service = stack.service(service.network_of)
    return service if service.networks else None


def _policies(routes: Sequence[Route], site: Site, addresses: Addresses) -> Iterator[tuple[str, Manifest]]:
    """Yield the gate's own policy, and what lets it in to the stack's services, on the ports that they declare."""
    ports = [{"protocol": "TCP", "port": port} for port in sorted({route.port for route in routes})]
    callers = [namespace_peer(name) for name in addresses.namespaces or site.callers]
    services: Manifest = {"matchLabels": {LABEL_KIND: "service"}}
    itself: Manifest = {"matchLabels": {LABEL_KIND: _KIND}}
    visits = [{"from": callers, "ports": [{"protocol": "TCP", "port": PORT}]}] if callers else []
    onward = [{"to": [{"podSelector": services}], "ports": ports}] if ports else []
    yield (
        NAME,
        {
            "podSelector": itself,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": visits,
            "egress": [*onward, name_servers(site)],
        },
    )
    yield (
        f"{NAME}-services",
        {
            "podSelector": services,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": itself}], "ports": ports}] if ports else [],
        },
    )


def _pod(place: Place, routes: Sequence[Route], site: Site, addresses: Addresses) -> Manifest:
    pulling = [{"name": name} for name in site.pull_secrets]
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **({"imagePullSecrets": pulling} if pulling else {}),
        "containers": [_container(place, routes, addresses)],
    }


def _container(place: Place, routes: Sequence[Route], addresses: Addresses) -> Manifest:
    digest = hashlib.sha256(token(addresses, place.namespace).encode()).hexdigest()
    leads = {route.host: f"{route.target}:{route.port}" for route in routes}
    told: Mapping[str, str] = {
        "CONDUCTOR_GATE_DIGEST": digest,
        "CONDUCTOR_GATE_ROUTES": json.dumps(leads, sort_keys=True),
        "CONDUCTOR_GATE_SECURE": "true" if addresses.scheme == "https" else "false",
        "CONDUCTOR_GATE_LISTEN": str(PORT),
    }
    return {
        "name": _KIND,
        "image": addresses.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["gate"],
        "env": [{"name": name, "value": value} for name, value in told.items()],
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1, "failureThreshold": 30},
        "resources": {
            "requests": {"cpu": "10m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _labels(place: Place) -> dict[str, str]:
    """Label what is the gate's: without the instance's mark, by which the stack's own workloads are watched."""
    return {_MANAGED_BY: "conductor", LABEL_RUN: label_value(place.run), LABEL_KIND: _KIND}


def _made(place: Place, api: str, kind: str, name: str, spec: Manifest) -> Manifest:
    metadata: Manifest = {"name": name, "namespace": place.namespace, "labels": _labels(place)}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}
