"""A log that is over, compressed: `backend.log` becomes `backend.log.gz`.

Law: at every moment one of both is whole. Where both are there, a packing was cut off, and the plain one counts.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import secrets
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from conductor.adapters.evidence.names import PACKED

_LEVEL = 6
_ON_ITS_WAY = ".packing-"


def packed_path(path: Path) -> Path:
    """Return where the compressed one is."""
    return path.with_name(path.name + PACKED)


def pack(path: Path) -> bool:
    """Compress a log that nobody writes at this moment. Tells whether it was done."""
    with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as plain:
        fcntl.flock(plain, fcntl.LOCK_EX | fcntl.LOCK_NB)
        made = path.with_name(f"{_ON_ITS_WAY}{secrets.token_hex(8)}")
        try:
            with made.open("xb") as file:
                with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_LEVEL, filename="", mtime=0) as gz:
                    shutil.copyfileobj(plain, gz)
                file.flush()
                os.fsync(file.fileno())
            made.replace(packed_path(path))
        finally:
            made.unlink(missing_ok=True)
        path.unlink()
        return True
    return False


def unpack(path: Path) -> None:
    """Have the plain one again, where only the compressed one is there."""
    if path.exists() or not packed_path(path).exists():
        return
    made = path.with_name(f"{_ON_ITS_WAY}{secrets.token_hex(8)}")
    try:
        with gzip.open(packed_path(path)) as packed, made.open("xb") as plain:
            shutil.copyfileobj(packed, plain)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
    packed_path(path).unlink()


def open_unpacked(path: Path) -> int:
    """Open what a compressed log held, as a file without a name. FileNotFoundError where there is none."""
    with gzip.open(packed_path(path)) as packed, tempfile.TemporaryFile(dir=path.parent) as plain:
        shutil.copyfileobj(packed, plain)
        plain.flush()
        return os.dup(plain.fileno())
