"""kill -9 at the end of each step of an environment's life, with real processes: it goes on or is cleaned, and nothing is made twice."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from conductor.adapters.fake.machine import Machine

pytestmark = [pytest.mark.crash, pytest.mark.timeout(120)]

PROGRAM = Path(__file__).with_name("environment_story.py")
BOUND_SECONDS = 60.0
PROVISIONING = (
    "prepare-environment",
    "create-environment-namespace",
    "sync-environment-secrets",
    "create-workspace",
    "await-workspace",
    "seed-workspace",
    "settle-environment",
)
ENDING = ("stop-environment", "remove-environment")


async def play(folder: Path, *what: str, **environment: str) -> tuple[int | None, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        str(folder),
        *what,
        env={**os.environ, **environment},
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), BOUND_SECONDS)
    assert b"Traceback" not in err, err.decode()
    return process.returncode, json.loads(out.splitlines()[-1]) if process.returncode == 0 else None


@pytest.mark.parametrize("step", PROVISIONING)
async def test_one_killed_while_it_is_provisioned_gets_ready_and_is_there_once(tmp_path: Path, step: str):
    assert await play(tmp_path, CONDUCTOR_KILL_AT=step) == (-9, None)
    code, told = await play(tmp_path)
    assert code == 0
    assert list(told["environments"].values()) == ["ready"]
    assert told["orphans"] == []
    begun = Counter((tmp_path / "begun.txt").read_text().split())
    assert {one for one, times in begun.items() if times > 1} <= {step}
    (namespace,) = Machine(tmp_path / "fake-engine.json").look().values()
    assert {name: len(one.lives) for name, one in namespace.workloads.items()} == {"workspace": 1}


@pytest.mark.parametrize("step", ENDING)
async def test_one_killed_while_it_is_released_leaves_nothing(tmp_path: Path, step: str):
    assert await play(tmp_path, "release", CONDUCTOR_KILL_AT=step) == (-9, None)
    code, told = await play(tmp_path, "release")
    assert code == 0
    assert told["namespaces"] == told["orphans"] == []
    assert set(told["environments"].values()) == {"released"}
