"""Look at everything that a run needs, and say what to do about what is missing."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from conductor.ports.engine import Diagnosis, Engine
from conductor.ports.registry import Registry

_LEAST_FREE_BYTES = 2 * 1024**3
_AS_MUCH_AS_A_STEP_WRITES = bytes(64 * 1024)
_OLDEST_GIT = (2, 30)
_OLDEST_PYTHON = (3, 11)


async def doctor(engine: Engine, *, state: Path, registry: Registry | None = None) -> Sequence[Diagnosis]:
    """Return one line for each thing looked at. Never raises for what it finds."""
    return [
        _python(),
        await _git(),
        _disk(state),
        await asyncio.to_thread(_records, state),
        *await engine.diagnose(),
        *(await registry.diagnose() if registry else ()),
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
    free = shutil.disk_usage(_nearest(state)).free
    ok = free >= _LEAST_FREE_BYTES
    detail = f"{free / 1024**3:.1f} GiB free for {state}"
    remedy = "" if ok else "Free some space: `conductor stacks list`, then delete what nobody looks at."
    return Diagnosis(subject="disk", ok=ok, detail=detail, remedy=remedy)


def _records(state: Path) -> Diagnosis:
    """Write where the records are: a full disk, or one that may only be read, stops every run."""
    try:
        with tempfile.TemporaryFile(dir=_nearest(state)) as file:
            file.write(_AS_MUCH_AS_A_STEP_WRITES)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        remedy = "Free disk space, or name another state folder (--state or CONDUCTOR_STATE)."
        return Diagnosis(subject="records", ok=False, detail=f"{state}: {error.strerror}", remedy=remedy)
    return Diagnosis(subject="records", ok=True, detail=f"can be written in {state}")


def _nearest(state: Path) -> Path:
    """Return the state folder, or what is there above it before the first run."""
    return next(place for place in (state, *state.absolute().parents) if place.is_dir())
