"""What a service shares with another one: network, memory segments, processes (`network_mode`, `ipc`, `pid`), mounts (`volumes_from`).

Law: who shares with another starts after it, as Compose has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conductor.compose.context import Context
from conductor.compose.findings import MistakeError, RefusalError
from conductor.compose.node import Node
from conductor.compose.values import mapping, sequence, text
from conductor.domain.stack import BindMount, FileMount, Mount, Service, SharedMounts, TmpfsMount, VolumeMount

BRIDGE = "bridge"
"""The network of services with `network_mode: bridge`: those of one run are on one of their own."""
_SERVICE = "service:"
_CONTAINER = "container:"
_OF_ITS_HOST = (
    "hostname",
    "dns",
    "dns_opt",
    "dns_search",
    "expose",
    "extra_hosts",
    "links",
    "mac_address",
    "ports",
)
"""What belongs to a network, and is that of the service whose network it is: Docker starts no container that has both."""


def read_namespaces(node: Node, context: Context) -> dict[str, Any]:
    """Read `network_mode`, `ipc` and `pid`; what reaches out of the stack is refused by the table of `unsupported`."""
    mode, ipc, pid = (node.get(key) for key in ("network_mode", "ipc", "pid"))
    made: dict[str, Any] = {}
    if ipc is not None:
        made |= {"ipc_of": _service_of(ipc), "ipc_shareable": text(ipc) == "shareable"}
    if pid is not None:
        made |= {"pid_of": _service_of(pid)}
    if mode is not None:
        made |= _network(node, mode, context)
    return made


def _network(node: Node, mode: Node, context: Context) -> dict[str, Any]:
    if node.get("networks") is not None and mapping(node.value["networks"]):
        message = "`networks` and `network_mode` exclude each other"
        raise MistakeError(node.value["networks"], message, remedy="Leave `network_mode` out.", key=True)
    if text(mode) in (BRIDGE, "default"):
        return {"networks": {_bridge(mode, context): ()}}
    other = _service_of(mode)
    for key in _OF_ITS_HOST if other else ():
        there = node.get(key)
        if there is not None and there.value:
            message = (
                f"`{key}` and `network_mode: service:...` exclude each other: it has the other service's"
            )
            raise MistakeError(there, message, remedy=f"Give it to the service {other}.", key=True)
    return {"networks": {}, "network_of": other}


def _bridge(mode: Node, context: Context) -> str:
    if BRIDGE in context.section("networks"):
        why = f"a network of the file is called {BRIDGE} too"
        raise RefusalError(mode, f"`network_mode: {BRIDGE}`", why, instead="Rename that network.")
    context.findings.note(mode, "a bridge of the run's own, on which names are found too")
    return BRIDGE


def _service_of(node: Node) -> str | None:
    written = text(node)
    return written.removeprefix(_SERVICE) if written.startswith(_SERVICE) else None


def read_volumes_from(node: Node) -> tuple[SharedMounts, ...]:
    """Read `service`, `service:ro` and `service:rw`."""
    named = node.get("volumes_from")
    return tuple(_shared(item) for item in sequence(named)) if named else ()


def _shared(item: Node) -> SharedMounts:
    written = text(item)
    if written.startswith(_CONTAINER):
        why, instead = "a run sees only its own services", "Add the other container as a service."
        raise RefusalError(item, f"`{written[:80]}`", why, instead=instead)
    name, _, how = written.removeprefix(_SERVICE).partition(":")
    if how not in ("", "ro", "rw", "z"):
        raise MistakeError(
            item, f"`{how[:64]}` is no way to share mounts", remedy="Write service, or service:ro."
        )
    return SharedMounts(service=name, read_only=how == "ro")


def shares(node: Node) -> Iterator[tuple[str, Node, bool]]:
    """Yield the services that it shares something with, where that is said, and whether it restarts with them."""
    for key in ("network_mode", "ipc", "pid"):
        found = node.get(key)
        if found is not None and (other := _service_of(found)):
            yield other, found, True
    volumes_from = node.get("volumes_from")
    for item in sequence(volumes_from) if volumes_from else ():
        if not text(item).startswith(_CONTAINER):
            yield _shared(item).service, item, False


def with_shared_mounts(
    services: Sequence[Service], nodes: Mapping[str, Node], context: Context
) -> list[Service]:
    """Give each service what those of its `volumes_from` mount; its own mount at the same place wins."""
    sharing = _Sharing({service.name: service for service in services}, nodes, context)
    sharing.name_what_is_shared()
    return [sharing.complete(service.name, ()) for service in services]


@dataclass(slots=True)
class _Sharing:
    services: dict[str, Service]
    nodes: Mapping[str, Node]
    context: Context

    def name_what_is_shared(self) -> None:
        """Anonymous volumes that others have too get names."""
        for service in list(self.services.values()):
            for shared, place in self._wishes(service):
                with self.context.findings.catching():
                    self._name_volumes(shared.service, place)

    def _wishes(self, service: Service) -> Iterator[tuple[SharedMounts, Node]]:
        node = self.nodes[service.name].get("volumes_from")
        items = node.value if node is not None and isinstance(node.value, list) else []
        yield from zip(service.volumes_from, items, strict=False)

    def _name_volumes(self, name: str, place: Node) -> None:
        service = self.services.get(name)
        anonymous = [m for m in service.mounts if _is_anonymous(m)] if service else []
        if service is None or not anonymous:
            return
        if service.replicas > 1:
            why = f"each container of {name} has its own volume {anonymous[0].target}"
            raise RefusalError(
                place, f"`volumes_from: {name}`", why, instead="Name the volume, or use one replica."
            )
        mounts = tuple(self._named(name, number, mount) for number, mount in enumerate(service.mounts))
        self.services[name] = replace(service, mounts=mounts)

    def _named(self, service: str, number: int, mount: Mount) -> Mount:
        if not isinstance(mount, VolumeMount) or not _is_anonymous(mount):
            return mount
        name = f"{service}-volume-{number + 1}"
        while name in self.context.section("volumes"):
            name += "-of-its-own"
        return replace(mount, volume=name)

    def complete(self, name: str, way: tuple[str, ...]) -> Service:
        """Return the service with all it shares, which includes what those share themselves."""
        service = self.services[name]
        if name in way:
            return service
        mounts = list(service.mounts)
        for shared, place in self._wishes(service):
            if shared.service not in self.services:
                continue
            taken = {mount.target for mount in mounts}
            for mount in self.complete(shared.service, (*way, name)).mounts:
                if mount.target not in taken and _is_shared(mount):
                    self.context.findings.origins[f"services.{name}.volumes[{len(mounts)}]"] = place
                    mounts.append(_read_only(mount) if shared.read_only else mount)
        return replace(service, mounts=tuple(mounts))


def _is_anonymous(mount: Mount) -> bool:
    return isinstance(mount, VolumeMount) and mount.volume is None


def _is_shared(mount: Mount) -> bool:
    """Tell whether Docker would share it: memory is each container's own, and text is copied into one container."""
    return not isinstance(mount, TmpfsMount) and not (isinstance(mount, FileMount) and mount.source is None)


def _read_only(mount: Mount) -> Mount:
    return replace(mount, read_only=True) if isinstance(mount, VolumeMount | BindMount) else mount
