"""What a service mounts: claims for named volumes, empty folders, memory, and files of the repository in a ConfigMap.

A ConfigMap holds 1 MiB and is read-only; what is larger is not carried (see `unsupported`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from conductor.adapters.kubernetes.manifests.kube_names import config_name, kube_name
from conductor.adapters.kubernetes.manifests.site import Manifest
from conductor.domain.stack import BindMount, FileMount, Mount, Service, TmpfsMount, VolumeMount

Files = Mapping[str, bytes]
"""Files of the checkout by their relative path, as far as the stack mounts them."""
LARGEST_BYTES = 900_000
_FILES = "files"


def volumes(service: Service, files: Files) -> tuple[list[Manifest], list[Manifest]]:
    """Return the pod's volumes and the container's mounts."""
    made: dict[str, Manifest] = {}
    mounts: list[Manifest] = []
    for number, mount in enumerate(service.mounts):
        for volume, where in _mounted(service, mount, number, files):
            made.setdefault(str(volume["name"]), volume)
            mounts.append(where)
    if service.resources.shm_bytes:
        memory: Manifest = {"medium": "Memory", "sizeLimit": str(service.resources.shm_bytes)}
        made["shm"] = {"name": "shm", "emptyDir": memory}
        mounts.append({"name": "shm", "mountPath": "/dev/shm"})  # noqa: S108 -- the container's, not ours
    return list(made.values()), mounts


def _mounted(service: Service, mount: Mount, number: int, files: Files) -> list[tuple[Manifest, Manifest]]:
    name = f"mount-{number}"
    where: Manifest = {"mountPath": mount.target}
    match mount:
        case VolumeMount(volume=str(volume)):
            name = f"volume-{kube_name(volume)}"
            claim: Manifest = {"name": name, "persistentVolumeClaim": {"claimName": kube_name(volume)}}
            where |= {"subPath": mount.subpath} if mount.subpath else {}
            where |= {"readOnly": True} if mount.read_only else {}
            return [(claim, {"name": name, **where})]
        case VolumeMount():
            return [({"name": name, "emptyDir": {}}, {"name": name, **where})]
        case TmpfsMount():
            limit = {"sizeLimit": str(mount.size_bytes)} if mount.size_bytes else {}
            return [({"name": name, "emptyDir": {"medium": "Memory", **limit}}, {"name": name, **where})]
        case BindMount() | FileMount():
            return _from_files(service, mount, name, files)


def _from_files(
    service: Service, mount: BindMount | FileMount, name: str, files: Files
) -> list[tuple[Manifest, Manifest]]:
    contents = contents_of(mount, files)
    if contents is None:
        return []
    config: Manifest = {"name": config_name(service.name)}
    if isinstance(mount, FileMount):
        config["defaultMode"] = mount.mode
    config["items"] = [{"key": file_key(mount, path), "path": path or _FILES} for path in contents]
    where: Manifest = {"name": name, "mountPath": mount.target, "readOnly": True}
    if "" in contents:
        where["subPath"] = _FILES
    return [({"name": name, "configMap": config}, where)]


def contents_of(mount: BindMount | FileMount, files: Files) -> Mapping[str, bytes] | None:
    """Return what the mount shows: `{"": content}` for a file, `{path: content}` for a folder; None where it is not at hand."""
    if isinstance(mount, FileMount) and mount.source is None:
        return {"": mount.content.encode()} if isinstance(mount.content, str) else None
    source = (mount.source or "").removeprefix("./").rstrip("/")
    if source in files:
        return {"": files[source]}
    prefix = "" if source in ("", ".") else f"{source}/"
    inside = {
        path.removeprefix(prefix): content for path, content in files.items() if path.startswith(prefix)
    }
    return inside or None


def file_key(mount: BindMount | FileMount, path: str) -> str:
    """Name a file's key in the ConfigMap: by target and path, so that it is stable and never that of another."""
    return hashlib.sha256(f"{mount.target}\0{path}".encode()).hexdigest()[:32]


def config_map(service: Service, files: Files) -> Manifest | None:
    """Make the ConfigMap with all files that a service mounts; None where there are none. The caller adds its place."""
    text: dict[str, str] = {}
    binary: dict[str, str] = {}
    for mount in service.mounts:
        if not isinstance(mount, BindMount | FileMount):
            continue
        for path, content in (contents_of(mount, files) or {}).items():
            try:
                text[file_key(mount, path)] = content.decode()
            except UnicodeDecodeError:
                binary[file_key(mount, path)] = base64.b64encode(content).decode()
    if not text and not binary:
        return None
    parts = {"data": text, "binaryData": binary}
    return {"apiVersion": "v1", "kind": "ConfigMap", **{key: value for key, value in parts.items() if value}}
