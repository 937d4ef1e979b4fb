"""The files of the checkout that a stack mounts, read once for the manifests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from conductor.adapters.kubernetes.manifests.volumes import Files
from conductor.domain.stack import BindMount, FileMount, Job, Stack


def read_files(checkout: str, stack: Stack, jobs: Sequence[Job] = ()) -> Files:
    """Return path (relative, with `/`) and content of each mounted file; nothing where there is no checkout.

    What leads out of the checkout was refused when the compose file was read; a link is not followed here all the same.
    """
    if not checkout:
        return {}
    root = Path(checkout)
    found = (path for source in sorted(_sources(stack, jobs)) for path in _files(root / source))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def _sources(stack: Stack, jobs: Sequence[Job]) -> set[str]:
    workloads = (*stack.services, *(job.workload for job in jobs))
    mounts = (mount for workload in workloads for mount in workload.mounts)
    return {mount.source for mount in mounts if isinstance(mount, BindMount | FileMount) and mount.source}


def _files(path: Path) -> Iterator[Path]:
    if path.is_symlink():
        return
    if path.is_dir():
        for below in sorted(path.iterdir()):
            yield from _files(below)
    elif path.is_file():
        yield path
