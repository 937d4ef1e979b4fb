"""Names of files: text from repositories is confined to the folder it belongs in."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

from conductor.errors import NotFoundError, RefusedError

RESERVED = frozenset({"checkout", "logs", "scratch"})
"""Folders of an attempt that are not what was saved."""

_SUFFIX = ".log"
PACKED = ".gz"
"""What follows the name of a log that is compressed."""
_LONGEST = 200
"""Longer names are cut, and told apart by their hash; file systems allow 255 bytes."""
_BEGINNING = 12
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")


def checked_run(run_id: str) -> str:
    """Return the id. NotFoundError where no run can have it."""
    if not _RUN.fullmatch(run_id):
        raise NotFoundError(
            f"there is no run {run_id!r}", remedy="`conductor runs list` shows the runs there are."
        )
    return run_id


def log_file(workload: str) -> str:
    """Name the file of a workload's log, whatever the workload is called.

    >>> log_file("backend"), log_file("build/../x")
    ('backend.log', 'build%2F..%2Fx.log')
    """
    quoted = quote(workload, safe="", errors="replace")
    if len(quoted) > _LONGEST:
        beginning = quote(workload[:_BEGINNING], safe="", errors="replace")
        quoted = f"{beginning}~{hashlib.sha256(quoted.encode()).hexdigest()[:16]}"
    return quoted + _SUFFIX


def workload_of(file: str) -> str:
    """Return whose log a file is, compressed or not.

    >>> workload_of("backend.log"), workload_of("backend.log.gz")
    ('backend', 'backend')
    """
    return unquote(file.removesuffix(PACKED).removesuffix(_SUFFIX))


def is_log(file: str) -> bool:
    """Tell a log from what is only on its way to be one."""
    return file.removesuffix(PACKED).endswith(_SUFFIX)


def confined(folder: Path, name: str) -> Path:
    """Return the path of a saved file. RefusedError where the name leads out of the folder, or into what is not for it."""
    parts = PurePosixPath(name).parts
    plain = parts and not name.startswith("/") and "\0" not in name and ".." not in parts
    if not plain or parts[0] in RESERVED:
        raise RefusedError(
            f"keeping a file as {name!r}: the name leads elsewhere",
            remedy="Choose a relative name without `..`.",
        )
    path = folder.joinpath(*parts)
    if not Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(folder)):
        raise RefusedError(f"keeping a file as {name!r}: a link leads elsewhere", remedy="Remove the link.")
    return path
