"""Archives of played files: contents travel as base64."""

from __future__ import annotations

import base64
import io
import tarfile
from collections.abc import Mapping
from pathlib import PurePosixPath


def packed(files: Mapping[str, str]) -> bytes:
    """Pack files by their names."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in sorted(files.items()):
            content = base64.b64decode(text)
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def unpacked(archive: bytes, folder: str) -> Mapping[str, bytes]:
    """Read the files of an archive under the names they get below a folder."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {
            str(PurePosixPath(folder) / member.name): file.read()
            for member in tar
            if member.isfile() and (file := tar.extractfile(member)) is not None
        }
