"""What a service mounts, piece by piece: a volume of the pod, where the container sees it, and what has to be done before it starts.

What is to be seen lies in the volume's folder `data`: beside it are the marks of its preparation, and what file systems put into their
root (`lost+found`). A mount of that folder shows plain files, where a ConfigMap mounted whole would show links.
"""

from __future__ import annotations

import base64
import hashlib
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from conductor.adapters.kubernetes.manifests.binds import Bound, Carriage, is_bound
from conductor.adapters.kubernetes.manifests.files import File, Files, bound_source, pack
from conductor.adapters.kubernetes.manifests.kube_names import config_name, kube_name, secret_name
from conductor.adapters.kubernetes.manifests.layout import Layout
from conductor.adapters.kubernetes.manifests.secrets import is_one_secret, parts, variable
from conductor.adapters.kubernetes.manifests.site import Manifest
from conductor.domain.stack import BindMount, FileMount, SecretText, Service, TmpfsMount, VolumeMount

DATA = "data"
ARCHIVE = "archive.tar.gz"
_MADE = "made"
_KEY = re.compile(r"[-_a-zA-Z0-9][-._a-zA-Z0-9]{0,200}")
_OF_ALL = 0o1777
"""The mode of memory folders, as Docker makes them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """One mount. `before` is said to the tools, `copy` to a shell over the service's own image, as lines of `preparation`."""

    volume: Manifest
    where: Manifest
    before: tuple[str, ...] = ()
    copy: tuple[str, ...] = ()
    source: Manifest | None = None
    """A volume that only the tools see."""
    variables: tuple[Manifest, ...] = ()
    """Variables that only the tools get."""

    @property
    def name(self) -> str:
        """The volume's."""
        return str(self.volume["name"])


def pieces(layout: Layout, service: Service) -> list[Piece]:
    """Return all that a service mounts, in its order."""
    made = [_piece(layout, service, mount, number) for number, mount in enumerate(service.mounts)]
    if service.resources.shm_bytes:
        limit = str(service.resources.shm_bytes)
        shm: Manifest = {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": limit}}
        made.append(Piece(volume=shm, where={"mountPath": "/dev/shm"}))  # noqa: S108 -- the container's, not ours
    return made


def _piece(
    layout: Layout,
    service: Service,
    mount: VolumeMount | BindMount | TmpfsMount | FileMount,
    number: int,
) -> Piece:
    match mount:
        case VolumeMount():
            return _of_volume(mount, number)
        case TmpfsMount():
            return _of_memory(mount, number)
        case FileMount(source=None):
            return _of_text(service, mount, number)
        case BindMount() | FileMount():
            return _of_repository(layout.bound(service, mount), service, mount, number)


def _of_volume(mount: VolumeMount, number: int) -> Piece:
    """Make a claim's mount, or an anonymous volume's; a new one gets what the image has at that place."""
    name = f"volume-{kube_name(mount.volume)}" if mount.volume else f"mount-{number}"
    claim: Manifest = (
        {"persistentVolumeClaim": {"claimName": kube_name(mount.volume)}}
        if mount.volume
        else {"emptyDir": {}}
    )
    copies = not mount.nocopy and not mount.subpath
    where: Manifest = {
        "mountPath": mount.target,
        "subPath": posixpath.normpath(posixpath.join(DATA, mount.subpath or "")),
    }
    return Piece(
        volume={"name": name, **claim},
        where=where | ({"readOnly": True} if mount.read_only else {}),
        before=() if copies else (f"folder {name} {DATA}",),
        copy=(f"copy {name} {shlex.quote(mount.target)}",) if copies else (),
    )


def _of_memory(mount: TmpfsMount, number: int) -> Piece:
    name = f"mount-{number}"
    limit = {"sizeLimit": str(mount.size_bytes)} if mount.size_bytes else {}
    owners = dict(option.partition("=")[::2] for option in mount.options)
    owner = f"{owners.get('uid', '0')}:{owners.get('gid', '0')}"
    mode = _OF_ALL if mount.mode is None else mount.mode
    where: Manifest = {"mountPath": mount.target}
    return Piece(
        volume={"name": name, "emptyDir": {"medium": "Memory", **limit}},
        where=where | ({"readOnly": True} if "ro" in mount.options else {}),
        before=(f"own {name} . {owner} {mode:o}",),
    )


def _of_text(service: Service, mount: FileMount, number: int) -> Piece:
    """Make a config or secret that the compose file gives as text."""
    owned = mount.uid is not None or mount.gid is not None
    where: Manifest = {"mountPath": mount.target, "readOnly": True, "subPath": DATA}
    name = f"mount-{number}"
    if isinstance(mount.content, SecretText) and is_one_secret(mount.content) and not owned:
        items = [{"key": mount.content.names[0], "path": DATA}]
        secret = {"secretName": secret_name(service.name), "defaultMode": mount.mode, "items": items}
        return Piece(volume={"name": name, "secret": secret}, where=where)
    if owned or isinstance(mount.content, SecretText):
        return _made_text(service, mount, number)
    config = _config_volume(service, number, text_files(mount), mode=mount.mode)
    return Piece(volume={"name": name, "configMap": config}, where=where)


def _made_text(service: Service, mount: FileMount, number: int) -> Piece:
    """Have the tools write it: with its owner, and with secrets put into the text."""
    text = mount.content if mount.content is not None else ""
    made = f"TEXT_{number}"
    owner = f"{mount.uid or 0}:{mount.gid or 0}"
    before = (f'printf %s "${made}" > volumes/{_MADE}/{number}',) if isinstance(text, SecretText) else ()
    source: Manifest | None = None
    if isinstance(text, str):
        source = {
            "name": f"mount-{number}",
            "configMap": _config_volume(service, number, text_files(mount), mode=mount.mode),
        }
        before = (f'"$0" cat sources/mount-{number}/{DATA} > volumes/{_MADE}/{number}',)
    secrets = [text] if isinstance(text, SecretText) else []
    return Piece(
        volume={"name": _MADE, "emptyDir": {"medium": "Memory"}},
        where={"mountPath": mount.target, "readOnly": True, "subPath": str(number)},
        before=(*before, f"own {_MADE} {number} {owner} {mount.mode:o}"),
        source=source,
        variables=(*parts(service, secrets), *(variable(service, made, secret) for secret in secrets)),
    )


def text_files(mount: FileMount) -> Files:
    """Return a text as the one file that it is."""
    return {"": File(content=mount.content.encode() if isinstance(mount.content, str) else b"")}


def _of_repository(bound: Bound, service: Service, mount: BindMount | FileMount, number: int) -> Piece:
    inner = bound.inner(bound_source(mount))
    read_only = not isinstance(mount, BindMount) or mount.read_only
    where: Manifest = {"mountPath": mount.target, "subPath": inner}
    where |= {"readOnly": True} if read_only else {}
    if bound.carriage is Carriage.CONFIG:
        config = _config_volume(service, number, bound.tree)
        return Piece(volume={"name": f"mount-{number}", "configMap": config}, where=where)
    holder: Manifest = (
        {"persistentVolumeClaim": {"claimName": bound.claim}} if bound.claim else {"emptyDir": {}}
    )
    packed = bound.carriage is Carriage.PACKED
    source: Manifest | None = (
        {"name": f"packed-{kube_name(bound.source)}", "configMap": {"name": bound.volume}} if packed else None
    )
    return Piece(
        volume={"name": bound.volume, **holder}, where=where, before=tuple(_filling(bound)), source=source
    )


def _filling(bound: Bound) -> Iterator[str]:
    match bound.carriage:
        case Carriage.PACKED:
            yield f"unpack {bound.volume} packed-{kube_name(bound.source)}"
        case Carriage.FILLED:
            yield f"await {bound.volume}"
        case _:
            yield f"folder {bound.volume} {DATA}"
    for source in bound.missing:
        yield f"folder {bound.volume} {shlex.quote(bound.inner(source))}"


def _config_volume(service: Service, number: int, tree: Files, *, mode: int | None = None) -> Manifest:
    items = [
        {
            "key": file_key(path),
            "path": posixpath.normpath(posixpath.join(DATA, path)),
            "mode": file.mode if mode is None else mode,
        }
        for path, file in sorted(tree.items())
    ]
    return {"name": config_name(service.name, number), "items": items}


def file_key(path: str) -> str:
    """Name a file's key in its ConfigMap: its own name where that is taken, else a hash.

    >>> file_key("nginx.conf"), file_key("")
    ('nginx.conf', 'data')
    """
    if not path:
        return DATA
    hashed = f"file-{hashlib.sha256(path.encode()).hexdigest()[:32]}"
    return path if _KEY.fullmatch(path) and not path.startswith("file-") else hashed


def config_maps(layout: Layout, service: Service) -> Mapping[str, Manifest]:
    """Make the ConfigMaps that a service needs, by name. The caller adds their place."""
    made: dict[str, Manifest] = {}
    for number, mount in enumerate(service.mounts):
        if isinstance(mount, BindMount | FileMount) and is_bound(mount):
            bound = layout.bound(service, mount)
            if bound.carriage is Carriage.CONFIG:
                made[config_name(service.name, number)] = _config_map(bound.tree)
            if bound.carriage is Carriage.PACKED:
                archive = base64.b64encode(pack(bound.tree, under=DATA)).decode()
                made[bound.volume] = _body({}, {ARCHIVE: archive})
        elif isinstance(mount, FileMount) and not isinstance(mount.content, SecretText):
            made[config_name(service.name, number)] = _config_map(text_files(mount))
    return made


def _config_map(tree: Files) -> Manifest:
    text: dict[str, str] = {}
    binary: dict[str, str] = {}
    for path, file in sorted(tree.items()):
        content = file.content or b""
        try:
            text[file_key(path)] = content.decode()
        except UnicodeDecodeError:
            binary[file_key(path)] = base64.b64encode(content).decode()
    return _body(text, binary)


def _body(text: Mapping[str, str], binary: Mapping[str, str]) -> Manifest:
    parts = {"data": dict(text), "binaryData": dict(binary)}
    filled = {key: value for key, value in parts.items() if value}
    return {"apiVersion": "v1", "kind": "ConfigMap", **filled}
