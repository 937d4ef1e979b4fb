"""Prism between a client and a fake: each question and each answer is held against the product's own description of its API."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.registries.serving import free_port

_INSTALLED = Path(__file__).parents[2] / ".venv" / "npm" / "node_modules" / ".bin" / "prism"
_PATIENCE_SECONDS = 90.0


def description(name: str) -> Path:
    """Return the description of an API; skip the test where there is none."""
    folder = os.environ.get("CONDUCTOR_CONTRACTS", "")
    if not folder:
        pytest.skip("CONDUCTOR_CONTRACTS is unset: no descriptions of APIs")
    return Path(folder) / "specs" / name


@asynccontextmanager
async def proxied(description: Path, upstream: str) -> AsyncIterator[tuple[str, list[str]]]:
    """Run Prism before a server; yields its address and what it says. What does not fit the description is answered by Prism itself."""
    prism = str(_INSTALLED) if _INSTALLED.exists() else shutil.which("prism")
    if prism is None:
        pytest.skip("no prism on this machine: sh scripts/prism.sh .venv")
    port = free_port()
    command = [
        prism,
        "proxy",
        "--errors",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        str(description),
        upstream,
    ]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert process.stdout
    said: list[str] = []
    listening = asyncio.Event()
    reading = asyncio.create_task(_read(process.stdout, said, listening))
    try:
        await asyncio.wait_for(listening.wait(), _PATIENCE_SECONDS)
        yield f"http://127.0.0.1:{port}", said
    finally:
        process.kill()
        await process.wait()
        await reading


async def _read(output: asyncio.StreamReader, said: list[str], listening: asyncio.Event) -> None:
    async for line in output:
        said.append(line.decode(errors="replace"))
        if "listening" in said[-1]:
            listening.set()
