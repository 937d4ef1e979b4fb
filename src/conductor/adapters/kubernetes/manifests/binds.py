"""How files of the repository come into pods, which cannot see them.

Who writes to a folder is seen by all that bind it, as with Compose: so mounts that overlap, with a writer among them, show one and the
same volume. The others are each shown a copy of their own.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from conductor.adapters.kubernetes.manifests.files import File, Files, below, bound_source, pack
from conductor.adapters.kubernetes.manifests.kube_names import kube_name
from conductor.domain.stack import BindMount, FileMount, Service

LARGEST_BYTES = 900_000
"""Of a ConfigMap's data; the API server takes 1 MiB with all that is around it."""


class Carriage(StrEnum):
    """How the content comes in."""

    CONFIG = "config"
    """Mounted from a ConfigMap: read-only, small."""
    PACKED = "packed"
    """Unpacked from a ConfigMap by an init container, into a volume that can be written."""
    FILLED = "filled"
    """Unpacked by Conductor into the volume while an init container waits: too large for a ConfigMap."""
    EMPTY = "empty"
    """There is nothing at that path yet: an empty folder, as Compose makes one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """One tree of the checkout as pods see it. `source` is its top, `shared` whether several pods see one volume of it."""

    source: str
    carriage: Carriage
    shared: bool = False
    lasting: bool = False
    """Kept while the stack sleeps: what only the stack puts there."""
    tree: Files
    missing: tuple[str, ...] = ()
    """Folders below the top that mounts name and the checkout has not."""

    @property
    def volume(self) -> str:
        """The name of the volume in pods."""
        return f"bound-{kube_name(self.source)}"

    @property
    def claim(self) -> str | None:
        """The claim that holds it; None where each pod has its own."""
        return self.volume if self.shared or self.lasting else None

    def inner(self, source: str) -> str:
        """Return the path of a source inside the volume.

        >>> Bound(source="a", carriage=Carriage.EMPTY, tree={}).inner("a/b")
        'data/b'
        """
        return posixpath.normpath(posixpath.join("data", posixpath.relpath(source, self.source)))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Use:
    workload: str
    source: str
    writes: bool
    pods: int


def is_bound(mount: object) -> bool:
    """Tell whether a mount shows files of the checkout. A config from a file is bound too, as Compose does it: with its own mode."""
    return isinstance(mount, BindMount) or (isinstance(mount, FileMount) and mount.source is not None)


def bind(workloads: Sequence[Service], files: Files) -> Mapping[tuple[str, str, bool], Bound]:
    """Work out how each bound source is carried, by (workload, source, read-only)."""
    uses = list(_uses(workloads))
    made: dict[tuple[str, str, bool], Bound] = {}
    for group in _groups(uses):
        bound = _bound(group, files)
        made |= {(use.workload, use.source, not use.writes): bound for use in group}
    return made


def _uses(workloads: Iterable[Service]) -> Iterable[_Use]:
    for service in workloads:
        for mount in service.mounts:
            if isinstance(mount, BindMount | FileMount) and is_bound(mount):
                writes = isinstance(mount, BindMount) and not mount.read_only
                yield _Use(
                    workload=service.name, source=bound_source(mount), writes=writes, pods=service.replicas
                )


def _groups(uses: list[_Use]) -> list[list[_Use]]:
    """Put together what overlaps with a writer among it."""
    groups: list[list[_Use]] = []
    for use in uses:
        touched = [group for group in groups if any(_seen(use, other) for other in group)]
        groups = [group for group in groups if group not in touched]
        groups.append([*(other for group in touched for other in group), use])
    return groups


def _seen(one: _Use, other: _Use) -> bool:
    """Tell whether what is written through the one is seen through the other."""
    return (one.writes or other.writes) and (
        _holds(one.source, other.source) or _holds(other.source, one.source)
    )


def _holds(folder: str, path: str) -> bool:
    return folder in (".", path) or path.startswith(f"{folder}/")


def _bound(group: list[_Use], files: Files) -> Bound:
    top = min((use.source for use in group), key=lambda source: (source != ".", source.count("/"), source))
    tree = below(files, top)
    writers = any(use.writes for use in group)
    pods = sum({use.workload: max(1, use.pods) for use in group}.values())
    return Bound(
        source=top,
        carriage=_carriage(tree, writers=writers),
        shared=writers and pods > 1,
        lasting=writers and not tree,
        tree=tree,
        missing=tuple(sorted({use.source for use in group if not below(files, use.source)} - {top})),
    )


def _carriage(tree: Files, *, writers: bool) -> Carriage:
    if not tree:
        return Carriage.EMPTY
    if any(file.content is None for file in tree.values()):
        return Carriage.FILLED
    if not writers and _fits(tree):
        return Carriage.CONFIG
    return Carriage.PACKED if len(pack(tree, under="data")) <= LARGEST_BYTES else Carriage.FILLED


def _fits(tree: Files) -> bool:
    """Tell whether a ConfigMap shows the tree as it is: small, no links."""
    plain = all(file.link is None for file in tree.values())
    return plain and sum(_size(path, file) for path, file in tree.items()) <= LARGEST_BYTES


def _size(path: str, file: File) -> int:
    return len(file.content or b"") + len(path) + 200
