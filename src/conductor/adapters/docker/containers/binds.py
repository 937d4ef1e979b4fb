"""Which mounts become what: volumes and folders that the engine mounts, files that are mounted or copied in, memory."""

from __future__ import annotations

from conductor.adapters.docker.containers.facts import Config, EngineFacts
from conductor.adapters.docker.containers.naming import labels, own_labels, volume_name
from conductor.adapters.docker.containers.wording import Wording
from conductor.domain.stack import BindMount, FileMount, Mount, Service, TmpfsMount, Volume, VolumeMount
from conductor.ports.engine import Place


def volume_config(place: Place, volume: Volume, *, instance: str) -> Config:
    """Describe a named volume of the stack."""
    return {
        "Name": volume_name(place, volume.name),
        "Labels": {**own_labels(volume.labels), **labels(place, instance)},
    }


def copied(service: Service) -> tuple[FileMount, ...]:
    """List the files that are copied into the container before it starts."""
    return tuple(m for m in service.mounts if isinstance(m, FileMount) and not is_bound(service, m))


def kept(service: Service) -> tuple[FileMount, ...]:
    """List the files that are kept beside the container and mounted: copied in they would be out of sight, or refused."""
    files = [m for m in service.mounts if isinstance(m, FileMount)]
    return tuple(m for m in files if m.source is None and is_bound(service, m))


def is_bound(service: Service, file: FileMount) -> bool:
    """Tell whether a file is mounted: the repository's own are, and all where the file system is read-only or covered by memory."""
    covered = any(
        isinstance(mount, TmpfsMount | VolumeMount | BindMount)
        and file.target.startswith(mount.target.rstrip("/") + "/")
        for mount in service.mounts
    )
    return file.source is not None or service.read_only or covered


def kept_name(service: Service, file: FileMount) -> str:
    """Name a kept file below the namespace's private folder."""
    return f"{service.name}/{service.mounts.index(file)}"


def binds(place: Place, service: Service, *, facts: EngineFacts, wording: Wording) -> list[str]:
    """List what the engine mounts: volumes, folders of the checkout, and files that cannot be copied in."""
    binds = []
    shared = ["z"] if facts.selinux else []
    for mount in service.mounts:
        match mount:
            case VolumeMount(volume=str() as name):
                options = [*(["ro"] if mount.read_only else []), *(["nocopy"] if mount.nocopy else [])]
                binds.append(":".join([volume_name(place, name), mount.target, *_options(options)]))
            case BindMount():
                options = [*(["ro"] if mount.read_only else []), *shared]
                binds.append(":".join([wording.source(mount.source), mount.target, *_options(options)]))
            case FileMount() if is_bound(service, mount):
                source = mount.source if mount.source is not None else f"kept:{kept_name(service, mount)}"
                binds.append(":".join([wording.source(source), mount.target, *_options(["ro", *shared])]))
            case _:
                pass
    return binds


def tmpfs(mount: TmpfsMount) -> str:
    """Write the options of a file system in memory."""
    size = [f"size={mount.size_bytes}"] if mount.size_bytes is not None else []
    mode = [f"mode={mount.mode:o}"] if mount.mode is not None else []
    return ",".join([*size, *mode, *mount.options])


def anonymous_volumes(mounts: tuple[Mount, ...]) -> dict[str, Config]:
    """Name the targets that get a volume of their own, which goes with the container."""
    return {m.target: {} for m in mounts if isinstance(m, VolumeMount) and m.volume is None}


def _options(options: list[str]) -> list[str]:
    return [",".join(options)] if options else []
