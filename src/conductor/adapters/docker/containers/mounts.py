"""What a container gets from this machine: folders of the checkout, and files; nothing outside the checkout, whatever a symlink says."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

from conductor.adapters.docker.containers.binds import kept, kept_name
from conductor.domain.stack import BindMount, FileMount, SecretText, Service
from conductor.errors import RefusedError

Text = Callable[[str | SecretText], str]


def confined(checkout: str, source: str) -> Path:
    """Return where a path of the checkout leads, symlinks followed. Raises `RefusedError` where that is outside the checkout."""
    root = Path(checkout).resolve()
    try:
        found = (root / source).resolve()
    except (OSError, RuntimeError) as error:
        raise RefusedError(
            f"cannot follow {source}: {error}", remedy="Mount a file or folder of the repository."
        ) from None
    if not checkout or not found.is_relative_to(root):
        raise RefusedError(
            f"the mount of {source} leads out of the repository, to {found}",
            remedy="Mount only what is in the repository; a named volume holds what a container writes.",
        )
    return found


def prepare_binds(checkout: str, service: Service) -> list[str]:
    """Make the folders that bind mounts may make; return the sources that are missing."""
    missing = []
    for mount in service.mounts:
        if isinstance(mount, BindMount):
            source = confined(checkout, mount.source)
            if mount.create and not source.exists():
                source.mkdir(parents=True, exist_ok=True)
            if not source.exists():
                missing.append(mount.source)
        if isinstance(mount, FileMount) and mount.source is not None:
            missing += [] if confined(checkout, mount.source).exists() else [mount.source]
    return missing


def keep_files(folder: Path, service: Service, text: Text) -> None:
    """Write the files that are mounted from a private folder."""
    for mount in kept(service):
        file = folder / kept_name(service, mount)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(text(mount.content or "").encode())
        with contextlib.suppress(PermissionError):
            os.chown(file, _or_unchanged(mount.uid), _or_unchanged(mount.gid))
        file.chmod(mount.mode)


def archive_of(files: Sequence[FileMount], text: Text) -> bytes:
    """Pack files for unpacking at `/`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for mount in files:
            content = text(mount.content or "").encode()
            entry = tarfile.TarInfo(mount.target.lstrip("/"))
            entry.size, entry.mode, entry.uid, entry.gid = (
                len(content),
                mount.mode,
                mount.uid or 0,
                mount.gid or 0,
            )
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def holder_of_port(port: int) -> str | None:
    """Return why a port of 127.0.0.1 cannot be opened, or None where it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return f"127.0.0.1:{port} may not be opened by this user"
        except OSError:
            return f"127.0.0.1:{port} is in use by another program"
    return None


def _or_unchanged(number: int | None) -> int:
    return -1 if number is None else number
