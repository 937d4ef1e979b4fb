"""kill -9 at the end of steps of a run, with real processes: at most the step that was cut off is done again, and nothing is made twice."""

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

PROGRAM = Path(__file__).with_name("run_story.py")
BOUND_SECONDS = 60.0
BESIDE = {"make-image/backend", "make-image/tests/tests", "raise-stack"}


async def play(folder: Path, *run: str, **environment: str) -> tuple[int | None, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        str(folder),
        *run,
        env={**os.environ, **environment},
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), BOUND_SECONDS)
    assert b"Traceback" not in err, err.decode()
    return process.returncode, json.loads(out) if out else None


@pytest.mark.parametrize(
    "step",
    [
        "clone",
        "make-image/backend",
        "raise-stack",
        "start-tests/tests",
        "await-tests/tests",
        "settle-lease",
        "finish-run",
    ],
)
async def test_a_run_killed_at_the_end_of_a_step_goes_on_there_and_nothing_is_made_twice(
    tmp_path: Path, step: str
):
    assert await play(tmp_path, CONDUCTOR_KILL_AT=step) == (-9, None)
    (run,) = (folder.name for folder in (tmp_path / "runs").iterdir())
    code, ended = await play(tmp_path, run)
    begun = Counter((tmp_path / "begun.txt").read_text().split())
    (namespace,) = Machine(tmp_path / "fake-engine.json").look().values()
    assert (code, ended["verdict"], ended["orphans"]) == (0, "passed", [])
    assert {one for one, times in begun.items() if times > 1} <= {step} | (
        BESIDE if step in BESIDE else set()
    )
    assert {name: len(one.lives) for name, one in namespace.workloads.items()} == dict.fromkeys(
        ("redis", "backend", "tests"), 1
    )
    assert ended["logs"]["redis"] == ["redis is listening"]
    assert ended["logs"]["tests"] == ["tests: 1 passed"]
