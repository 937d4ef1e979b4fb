"""The end of a container's process, from the kernel of this machine: at the moment it comes, where the engine's events are late.

Podman's events come from a file that it looks at now and then: 0.1 to 0.25 s later (4.3.1: seen). What has become of the container is
still the engine's to say.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from conductor.adapters.docker.execution import belongs

SOON = 0.02
"""Seconds between two questions to an engine that has not noticed yet that a process ended."""


async def until_over(container: Mapping[str, Any]) -> bool:
    """Return True once the main process of an inspected container has ended; False where it cannot be watched from here."""
    pid = int(container["State"].get("Pid") or 0)
    handle = await asyncio.to_thread(_opened, pid, str(container["Id"]))
    if handle is None:
        return False
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        loop.add_reader(handle, over.set)
        await over.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
    return True


def _opened(pid: int, container: str) -> int | None:
    """Open a handle of a process (pidfd_open(2)) of this container; whose it is is looked at when the handle holds its number."""
    try:
        handle = os.pidfd_open(pid)
    except (OSError, AttributeError, ValueError):  # gone, not on Linux, no process at all
        return None
    if belongs(pid, container):
        return handle
    os.close(handle)
    return None
