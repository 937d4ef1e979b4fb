"""kill -9 at every point of a run, on a real SQLite file, with real processes: nothing is lost, nothing that ended is done twice."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.crash, pytest.mark.timeout(120)]

PROGRAM = Path(__file__).with_name("durable_story.py")
BOUND = 60.0
RUN = "shop-k3v9qd"
STEPS = ["clone", "make backend", "push backend", "make tests", "push tests", "stack", "tests"]
CHAINS = [("clone", "stack"), ("make backend", "push backend"), ("make tests", "push tests"), ("tests",)]
RESULT = ["push backend", "push tests", "tests"]
POINTS = [
    *(f"in:{step}" for step in STEPS),
    *(f"after:{step}" for step in STEPS),
    "after:started builds",
    "after:started tests",
    "after:all",
]


async def begin(folder: Path, command: str, run: str = RUN, **environment: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        str(folder),
        command,
        run,
        env={**os.environ, **environment},
        stdout=PIPE,
        stderr=PIPE,
    )


async def end(process: Process) -> tuple[int | None, Any]:
    out, err = await asyncio.wait_for(process.communicate(), BOUND)
    assert b"Traceback" not in err, err.decode()
    return process.returncode, json.loads(out) if out else None


async def play(folder: Path, command: str, run: str = RUN, **environment: str) -> tuple[int | None, Any]:
    return await end(await begin(folder, command, run, **environment))


def trace(folder: Path, what: str, run: str = RUN) -> list[str]:
    path = folder / "trace.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [line["step"] for line in lines if line["what"] == what and line["run"] == run]


async def until_begun(folder: Path, step: str, run: str = RUN) -> None:
    async with asyncio.timeout(BOUND):
        while step not in trace(folder, "begin", run):  # noqa: ASYNC110 -- another process is watched
            await asyncio.sleep(0.01)


def may_be_repeated(folder: Path, point: str) -> set[str]:
    """Return what may have been cut off: the last step that each workflow had begun, unless the kill waited for its record."""
    begun = trace(folder, "begin")
    last = {
        step for chain in CHAINS if (step := next((one for one in reversed(begun) if one in chain), None))
    }
    return last - {point.removeprefix("after:"), *(STEPS if point == "after:all" else ())}


@pytest.mark.parametrize("point", POINTS)
async def test_a_run_killed_anywhere_is_resumed_and_no_step_ends_twice(tmp_path: Path, point: str):
    assert await play(tmp_path, "start", CONDUCTOR_KILL_AT=point) == (-9, None)
    cut_off = may_be_repeated(tmp_path, point)
    assert await play(tmp_path, "resume") == (0, RESULT)
    ended = Counter(trace(tmp_path, "end"))
    assert set(ended) == set(STEPS)
    assert {step for step, times in ended.items() if times > 1} <= cut_off - {point.removeprefix("in:")}
    assert {step for step, times in Counter(trace(tmp_path, "begin")).items() if times > 1} <= cut_off | {
        "wait"
    }


async def test_a_run_that_is_killed_again_and_again_still_ends(tmp_path: Path):
    for number, point in enumerate(POINTS[::3]):
        command = "start" if number == 0 else "resume"
        code, answer = await play(tmp_path, command, CONDUCTOR_KILL_AT=point)
        assert code == -9 or (code, answer) == (0, RESULT)
    assert await play(tmp_path, "resume") == (0, RESULT)
    assert set(trace(tmp_path, "end")) == set(STEPS)


async def test_the_same_command_goes_on_with_a_run_that_was_killed(tmp_path: Path):
    await play(tmp_path, "start", CONDUCTOR_KILL_AT="after:clone")
    assert await play(tmp_path, "start") == (0, RESULT)
    assert Counter(trace(tmp_path, "end")) == Counter(STEPS)


async def test_what_a_killed_process_left_is_listed_once(tmp_path: Path):
    await play(tmp_path, "start", CONDUCTOR_KILL_AT="after:started builds")
    assert await play(tmp_path, "orphans") == (0, [f"run/{RUN}/1"])


async def test_two_processes_on_one_folder_leave_each_others_runs_alone(tmp_path: Path):
    first, second = await asyncio.gather(
        begin(tmp_path, "start", "one-aaaaaa"), begin(tmp_path, "start", "two-bbbbbb")
    )
    assert await asyncio.gather(end(first), end(second)) == [(0, RESULT), (0, RESULT)]
    for run in ("one-aaaaaa", "two-bbbbbb"):
        assert Counter(trace(tmp_path, "end", run)) == Counter(STEPS)


async def test_what_a_living_process_has_is_refused_with_its_number(tmp_path: Path):
    owner = await begin(tmp_path, "start", CONDUCTOR_HOLD_AT="stack")
    await until_begun(tmp_path, "stack")
    code, answer = await play(tmp_path, "resume")
    assert (code, answer.split(":")[0]) == (2, "conflict")
    assert f"process {owner.pid}" in answer
    (tmp_path / "go").touch()
    assert await end(owner) == (0, RESULT)
    assert Counter(trace(tmp_path, "end")) == Counter(STEPS)


async def test_the_same_command_in_two_processes_is_one_run_with_one_result(tmp_path: Path):
    owner = await begin(tmp_path, "start", CONDUCTOR_HOLD_AT="stack")
    await until_begun(tmp_path, "stack")
    joining = await begin(tmp_path, "start")
    (tmp_path / "go").touch()
    assert await asyncio.gather(end(owner), end(joining)) == [(0, RESULT), (0, RESULT)]
    assert Counter(trace(tmp_path, "end")) == Counter(STEPS)


async def test_of_two_that_resume_at_once_one_goes_on_and_the_other_is_refused_or_joins(tmp_path: Path):
    await play(tmp_path, "start", CONDUCTOR_KILL_AT="in:clone")
    answers = await asyncio.gather(play(tmp_path, "resume"), play(tmp_path, "resume"))
    assert (0, RESULT) in answers
    assert all(answer == (0, RESULT) or answer[0] == 2 for answer in answers)
    assert Counter(trace(tmp_path, "end")) == Counter(STEPS)


async def test_who_waits_for_a_run_whose_process_is_killed_is_told(tmp_path: Path):
    owner = await begin(tmp_path, "start", CONDUCTOR_HOLD_AT="stack")
    await until_begun(tmp_path, "stack")
    waiting = await begin(tmp_path, "start")
    async with asyncio.timeout(BOUND):
        while len(list((tmp_path / "executors").glob("*.lock"))) < 2:  # noqa: ASYNC110 -- another process is watched
            await asyncio.sleep(0.01)
    owner.kill()
    await owner.wait()
    (tmp_path / "go").touch()
    code, answer = await end(waiting)
    assert (code, answer) == (0, RESULT) or (code == 3 and "is gone" in answer)
    assert await play(tmp_path, "start") == (0, RESULT)


async def test_a_cancel_from_another_process_cuts_the_waiting_step_short(tmp_path: Path):
    owner = await begin(tmp_path, "start", CONDUCTOR_HOLD_AT="make backend")
    await until_begun(tmp_path, "make backend")
    assert await play(tmp_path, "cancel") == (0, None)
    code, answer = await end(owner)
    assert (code, answer.split(":")[0]) == (130, "cancelled")
    assert not {"make backend", "stack", "tests"} & set(trace(tmp_path, "end"))
    assert await play(tmp_path, "orphans") == (0, [])
