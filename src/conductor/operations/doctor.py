"""Look at everything that a run needs, and say what to do about what is missing."""

from __future__ import annotations

import asyncio
import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from conductor.ports.engine import Diagnosis
from conductor.ports.world import World

_LEAST_FREE_BYTES = 2 * 1024**3
_OLDEST_GIT = (2, 30)
_OLDEST_PYTHON = (3, 11)


async def doctor(world: World, *, state: Path) -> Sequence[Diagnosis]:
    """Return one line for each thing looked at. Never raises for what it finds."""
    return [
        _python(),
        await _git(),
        _disk(state),
        *await world.engine.diagnose(),
    ]


def _python() -> Diagnosis:
    version = platform.python_version()
    ok = sys.version_info >= _OLDEST_PYTHON
    return Diagnosis(
        subject="python", ok=ok, detail=version, remedy="" if ok else "Install Python 3.11 or newer."
    )


async def _git() -> Diagnosis:
    remedy = "Install git 2.30 or newer."
    if shutil.which("git") is None:
        return Diagnosis(subject="git", ok=False, detail="not found on PATH", remedy=remedy)
    process = await asyncio.create_subprocess_exec("git", "--version", stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    version = out.decode().split()[2]
    numbers = tuple(int(part) for part in version.split(".")[:2])
    ok = numbers >= _OLDEST_GIT
    return Diagnosis(subject="git", ok=ok, detail=version, remedy="" if ok else remedy)


def _disk(state: Path) -> Diagnosis:
    free = shutil.disk_usage(state).free
    ok = free >= _LEAST_FREE_BYTES
    detail = f"{free / 1024**3:.1f} GiB free for {state}"
    remedy = "" if ok else "Free some space: `conductor stacks list`, then delete what nobody looks at."
    return Diagnosis(subject="disk", ok=ok, detail=detail, remedy=remedy)
