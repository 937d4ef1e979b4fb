"""Addresses of services: the stack's gate, and the way from the ingress to it; both are applied, so that asking again changes nothing.

Which there are is noted on the namespace, for whoever lists stacks.

Law: what a service of the stack is called never hides the gate: such a stack gets no addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from conductor.adapters.kubernetes import leases
from conductor.adapters.kubernetes.api import kinds
from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.manifests import gate
from conductor.adapters.kubernetes.manifests.kube_names import kube_name
from conductor.adapters.kubernetes.manifests.network import service_names
from conductor.adapters.kubernetes.manifests.site import Addresses, Site
from conductor.domain.stack import Stack
from conductor.errors import NotFoundError, RefusedError
from conductor.ports.engine import Address, Diagnosis, Place

_SET = "CONDUCTOR_INGRESS_DOMAIN and CONDUCTOR_GATE_KEY turn them on; `conductor stacks open RUN SERVICE:PORT` opens a port here."
_NO_KEY = "Set CONDUCTOR_GATE_KEY to 32 random characters or more, the same for every process of this Conductor: `openssl rand -hex 32`."
_NO_CALLERS = "Name the namespace of the ingress controller or gateway with CONDUCTOR_INGRESS_NAMESPACES."


async def open_address(
    client: Client, place: Place, stack: Stack, site: Site, *, service: str, port: int | None
) -> Address:
    """Make the gate and the way to one port. RefusedError where the site has no addresses, NotFoundError for what is not declared."""
    addresses = _configured(site)
    _refuse_name(stack)
    routes = gate.routes(place, stack, addresses.domain)
    route = choose(routes, service, port)
    for manifest in (gate.way(place, route, addresses), *gate.gate(place, routes, site, addresses)):
        await _apply(client, cast("kinds.Manifest", manifest))
    url = f"{addresses.scheme}://{route.host}/"
    noted = {"metadata": {"annotations": {f"{leases.ADDRESS}/{route.key}": url}}}
    await client.patch(kinds.NAMESPACE, place.namespace, noted)
    return Address(url=url, token=gate.token(addresses, place.namespace))


def choose(routes: Sequence[gate.Route], service: str, port: int | None) -> gate.Route:
    """Find the address of a port, without one that of the service's first."""
    own = [route for route in routes if route.service == service]
    for route in own:
        if port in (None, route.port):
            return route
    there = ", ".join(f"{route.service}:{route.port}" for route in routes) or "none"
    wanted = service if port is None else f"{service}:{port}"
    raise NotFoundError(
        f"the stack has no address for {wanted} (it has: {there})",
        remedy="A service gets one for each tcp port that it names under `ports` or `expose` in the compose file.",
    )


def diagnosis(site: Site) -> Diagnosis | None:
    """Tell whether addresses can be made; None where nobody wants any."""
    if site.addresses is None:
        return None
    callers = site.addresses.namespaces or site.callers
    remedy = _NO_KEY if not site.addresses.key else "" if callers else _NO_CALLERS
    lacking = "no key for their tokens" if not site.addresses.key else "no ingress may call in"
    means = f"Gateway {site.addresses.gateway}" if site.addresses.gateway else "Ingress"
    detail = f"{site.addresses.scheme}://SERVICE-RUN.{site.addresses.domain}/ by {means}"
    return Diagnosis(
        subject="addresses",
        ok=not remedy,
        detail=f"{detail}: {lacking}" if remedy else f"{detail}, for {', '.join(callers)}",
        remedy=remedy,
    )


def _configured(site: Site) -> Addresses:
    if site.addresses is None:
        raise RefusedError("services of stacks have no addresses here: no domain is set", remedy=_SET)
    if not site.addresses.key:
        raise RefusedError("no address is made that everybody could open: no key is set", remedy=_NO_KEY)
    return site.addresses


def _refuse_name(stack: Stack) -> None:
    for service in stack.services:
        if gate.NAME in (kube_name(service.name), *service_names(service)):
            raise RefusedError(
                f"the service {service.name} is called as the gate of its stack would be",
                remedy=f"Call it and its aliases something else than {gate.NAME}.",
            )


async def _apply(client: Client, manifest: kinds.Manifest) -> None:
    try:
        await client.apply(manifest)
    except NotFoundError as error:
        if kinds.kind_of(manifest) is kinds.HTTP_ROUTE:
            raise RefusedError(
                "the cluster knows no HTTPRoute",
                remedy="Install the Gateway API, or leave CONDUCTOR_GATEWAY out.",
            ) from error
        raise
