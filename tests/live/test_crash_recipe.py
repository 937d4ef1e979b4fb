"""Kill -9 after every step of a run of the shop, in real containers: the run goes on to the same verdict, and nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.live.shop import conductor, shop_repository

pytestmark = [pytest.mark.engine, pytest.mark.crash, pytest.mark.timeout(1500)]

LIMIT_SECONDS = 240


@dataclass(frozen=True)
class Cut:
    """What a killed process had told before it died."""

    run: str
    steps: Sequence[tuple[str, str]]


def kill_after(command: Sequence[str], environment: dict[str, str], number: int) -> Cut:
    """Start the command and kill it as soon as it tells the end of step `number` (counted from 1)."""
    ended: list[tuple[str, str]] = []
    run = ""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    for event in map(json.loads, process.stdout):
        run = event.get("run", run)
        if event.get("kind") == "step.ended":
            ended.append((event["subject"], event["data"].get("subject", "")))
            if len(ended) == number:
                os.kill(process.pid, signal.SIGKILL)
                break
    process.stdout.close()
    process.wait(timeout=LIMIT_SECONDS)
    return Cut(run=run, steps=ended)


def shown(run: str, environment: dict[str, str]) -> dict[str, Any]:
    answer = subprocess.run(
        [*conductor(), "runs", "show", run, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def step_times(view: dict[str, Any]) -> dict[tuple[str, str], tuple[str, str | None]]:
    return {(step["name"], step["subject"]): (step["started_at"], step["ended_at"]) for step in view["steps"]}


def containers(run: str, environment: dict[str, str]) -> dict[str, str]:
    """Return the ids of the run's containers by their names, as the engine has them."""
    return dict(_listed(run, environment))


def _listed(run: str, environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    program = (
        "import asyncio, sys, json\n"
        "from conductor import bootstrap\n"
        "async def main():\n"
        "    async with bootstrap.reading(bootstrap.load_settings()) as app:\n"
        "        client = await app.world.engine._connection.client()\n"
        "        label = {'label': ['conductor.dev/run=' + sys.argv[1]]}\n"
        "        found = await client.containers.list(all=True, filters=label)\n"
        "        print(json.dumps([[c._container['Names'][0], c.id] for c in found]))\n"
        "asyncio.run(main())\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, run],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    for name, container in json.loads(answer.stdout):
        yield name.lstrip("/"), container


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {**os.environ, "CONDUCTOR_STATE": str(tmp_path_factory.mktemp("state"))}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop_repository(tmp_path_factory.mktemp("repository") / "shop")


def test_a_run_killed_after_each_step_ends_with_the_verdict_that_it_would_have_had(
    state: dict[str, str], repository: Path, record_property: Any
) -> None:
    run = [*conductor(), "run", str(repository), "--json", "--cleanup", "always"]
    whole = subprocess.run(run, env=state, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    assert whole.returncode == 0, whole.stdout[-3000:] + whole.stderr[-3000:]
    events = [json.loads(line) for line in whole.stdout.splitlines()]
    steps = [event for event in events if event.get("kind") == "step.ended"]
    counts = shown(events[0]["run"], state)["report"]["counts"]
    assert counts["passed"] > 0
    kills = 0
    for number in range(1, len(steps) + 1):
        cut = kill_after(run, state, number)
        if len(cut.steps) < number:
            continue  # the steps of builds and suites end in another order now and then
        kills += 1
        before = shown(cut.run, state)
        standing = containers(cut.run, state)
        resumed = subprocess.run(
            [*conductor(), "runs", "resume", cut.run],
            env=state,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        after = shown(cut.run, state)
        where = (
            f"killed after step {number} {cut.steps[-1]}: {resumed.stdout[-2000:]}{resumed.stderr[-2000:]}"
        )
        assert after["outcome"]["verdict"] == "passed", where
        ended_before = {step: times for step, times in step_times(before).items() if times[1]}
        assert set(cut.steps) <= set(ended_before), where
        again = {step for step, times in ended_before.items() if step_times(after)[step] != times}
        assert not again, f"done twice: {again}; {where}"
        assert after["report"]["counts"] == counts, where
        left = containers(cut.run, state)
        assert not left, f"{where}: left behind {left} (there were {standing})"
    record_property("kills", kills)
    assert kills >= len(steps) - 2
