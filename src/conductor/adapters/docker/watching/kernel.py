"""What the kernel of this machine says about memory, where the engine does not (Podman 4.3 with runc: tried)."""

from __future__ import annotations

import os
from pathlib import Path

KERNEL_LOG = Path("/dev/kmsg")


def out_of_memory(container_id: str, log: Path = KERNEL_LOG) -> bool | None:
    """Tell whether the kernel killed a process of this container for lack of memory; None where its log cannot be read.

    The line: `oom-kill:constraint=CONSTRAINT_MEMCG,...,oom_memcg=/libpod_parent/libpod-<id>,...`.
    """
    try:
        handle = os.open(log, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return any("oom-kill:" in record and container_id in record for record in _records(handle))
    finally:
        os.close(handle)


def _records(handle: int) -> list[str]:
    """Read all records: one each read; EPIPE says that some were overwritten meanwhile."""
    records: list[str] = []
    while True:
        try:
            record = os.read(handle, 8192)
        except BrokenPipeError:
            continue
        except OSError:
            return records
        if not record:
            return records
        records.append(record.decode(errors="replace"))
