"""Looking at the engine: what it can do, and what `doctor` says about it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from conductor.adapters.docker.connection.client import Client, Connection, reaching
from conductor.adapters.docker.connection.machine import look
from conductor.adapters.docker.containers.facts import EngineFacts
from conductor.adapters.docker.containers.unsupported import has_init
from conductor.errors import ConductorError
from conductor.ports.engine import Diagnosis

LEAST_FREE_BYTES = 5 * 2**30
LEAST_MEMORY_BYTES = 2 * 2**30


async def look_at_engine(client: Client) -> EngineFacts:
    """Ask the engine for what differs between engines."""
    with reaching("asking the engine about itself"):
        info = await client.system.info()
    return facts_of(info, podman=client.podman, address=client.address)


def facts_of(info: Mapping[str, Any], *, podman: bool, address: str) -> EngineFacts:
    """Read the answer to `GET /info`."""
    security = [str(option) for option in info.get("SecurityOptions") or ()]
    rootless = any("rootless" in option for option in security) or bool(info.get("Rootless"))
    local = (
        address.startswith("unix://")
        and sys.platform == "linux"
        and info.get("OperatingSystem") != "Docker Desktop"
    )
    return EngineFacts(
        podman=podman,
        selinux=any("selinux" in option for option in security),
        init=not podman or has_init(),
        hard_limits=(look().hard_limits or None) if podman and local else None,
        local=local,
        rootless=rootless,
    )


async def diagnose(connection: Connection, state_folder: Path) -> Sequence[Diagnosis]:
    """Look at everything that has been seen to go wrong. Never raises."""
    return [line async for line in _lines(connection, state_folder)]


async def _lines(connection: Connection, state_folder: Path) -> AsyncIterator[Diagnosis]:
    try:
        client = await connection.client()
        with reaching("asking the engine about itself"):
            version, info = await client.version(), await client.system.info()
    except ConductorError as error:
        yield Diagnosis(subject="container engine", ok=False, detail=error.message, remedy=error.remedy)
        return
    facts = facts_of(info, podman=client.podman, address=client.address)
    yield _engine(version, client.address, facts)
    if facts.podman and facts.local:
        yield _runtime(version)
    yield _storage(Path(info.get("DockerRootDir") or "/"), facts)
    yield _memory(int(info.get("MemTotal") or 0))
    yield _state(state_folder)


def _engine(version: Mapping[str, Any], address: str, facts: EngineFacts) -> Diagnosis:
    product = "Podman" if facts.podman else "Docker"
    rights = ", rootless" if facts.rootless else ""
    said = f"{product} {version.get('Version')} (API {version.get('ApiVersion')}{rights}) at {address}"
    return Diagnosis(subject="container engine", ok=True, detail=said)


def _runtime(version: Mapping[str, Any]) -> Diagnosis:
    """Look at the OCI runtime: crun cannot work where both versions of cgroups are mounted."""
    names = [
        str(part.get("Name"))
        for part in version.get("Components") or ()
        if "runtime" in str(part.get("Name")).lower()
    ]
    name = names[0] if names else "unknown"
    fails = look().hybrid_cgroups and "crun" in name
    return Diagnosis(
        subject="container runtime",
        ok=not fails,
        detail=f"{name}{': it does not work with hybrid cgroups' if fails else ''}",
        remedy="Install runc; Conductor's own Podman service uses it by itself." if fails else "",
    )


def _storage(folder: Path, facts: EngineFacts) -> Diagnosis:
    if not facts.local or not folder.exists():
        return Diagnosis(subject="engine storage", ok=True, detail=f"{folder}, not on this machine")
    free = shutil.disk_usage(folder).free
    return Diagnosis(
        subject="engine storage",
        ok=free >= LEAST_FREE_BYTES,
        detail=f"{free / 2**30:.0f} GiB free in {folder}",
        remedy=""
        if free >= LEAST_FREE_BYTES
        else "Remove old images and stacks (`docker system prune`, `conductor stacks list`).",
    )


def _memory(total: int) -> Diagnosis:
    enough = total >= LEAST_MEMORY_BYTES
    remedy = "" if enough else "Give the engine's machine at least 2 GiB."
    return Diagnosis(subject="engine memory", ok=enough, detail=f"{total / 2**30:.1f} GiB", remedy=remedy)


def _state(folder: Path) -> Diagnosis:
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    ok = os.access(nearest, os.W_OK)
    remedy = "" if ok else "Choose a state folder that you may write to."
    return Diagnosis(subject="state folder", ok=ok, detail=str(folder), remedy=remedy)
