"""Makes the namespace of builds, Conductor's own, or finds it made."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from conductor.adapters.kubernetes import rights
from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.kinds import NAMESPACE, Manifest
from conductor.adapters.kubernetes.kaniko.place import bounds, labels_of, namespace, namespace_of
from conductor.adapters.kubernetes.kaniko.site import KanikoSite
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.errors import ConductorError, ConflictError


def hosts_of(reference: str, kaniko: KanikoSite) -> Sequence[str]:
    """List what has to be reached to build and look at images whose names begin as this one does."""
    return (reference.partition("/")[0], *(mirror.partition("/")[0] for mirror in kaniko.mirrors))


async def prepare(client: Client, site: Site, kaniko: KanikoSite, *, hosts: Sequence[str]) -> None:
    """Have the namespace with its bounds, before anything runs in it. ConflictError where it is somebody else's."""
    name = namespace_of(site, kaniko)
    if await client.create(namespace(site, kaniko)) is None:
        _check(await client.get(NAMESPACE, name), site)
    if site.role:
        await rights.take(client, name, site.role, labels_of(site))
    git = (kaniko.git.host,) if kaniko.git else ()
    closed = await _api_servers(client)
    for thing in bounds(site, kaniko, hosts=(*hosts, *git), closed=closed):
        await client.apply(thing)


def _check(found: Manifest, site: Site) -> None:
    labels = found["metadata"].get("labels") or {}
    name = found["metadata"]["name"]
    if any(labels.get(key) != value for key, value in labels_of(site).items()):
        raise ConflictError(
            f"the namespace {name} is there already, and not of this Conductor",
            remedy="Name another with CONDUCTOR_BUILD_NAMESPACE, or give each Conductor its own CONDUCTOR_INSTANCE.",
        )
    if found["metadata"].get("deletionTimestamp"):
        raise ConflictError(f"the namespace {name} is just being deleted", remedy="Wait until it is gone.")


async def _api_servers(client: Client) -> Sequence[str]:
    """List addresses of the API server: the one that is asked, and those that it names itself (`/api`)."""
    asked = urlsplit(client.address).hostname or ""
    try:
        answer = await client.ask("GET", "/api", doing="asking the API server for its addresses")
    except ConductorError:
        return (asked,)
    named = [str(one.get("serverAddress") or "") for one in answer.get("serverAddressByClientCIDRs") or ()]
    return (asked, *(urlsplit(f"//{address}").hostname or "" for address in named))
