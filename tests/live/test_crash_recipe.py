"""Kill -9 after every step of a run of the shop, in real containers: the run goes on to the same verdict, and nothing is done twice."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conductor import bootstrap
from conductor.adapters.docker.connection.client import connect
from conductor.domain.names import LABEL_RUN
from conductor.domain.report import Report
from conductor.domain.run import Status
from conductor.domain.verdict import Verdict
from conductor.operations import runs
from conductor.operations.runs import RunView
from tests.live.cut import LIMIT_SECONDS, kill_after
from tests.live.shop import conductor, shop_repository

pytestmark = [pytest.mark.engine, pytest.mark.crash, pytest.mark.timeout(1500)]


@dataclass(frozen=True)
class Shown:
    """A run as it is on record, and the ids of its containers as the engine has them."""

    view: RunView
    containers: Mapping[str, str]

    @property
    def times(self) -> Mapping[tuple[str, str], tuple[object, object]]:
        return {(step.name, step.subject): (step.started_at, step.ended_at) for step in self.view.steps}

    @property
    def ended(self) -> set[tuple[str, str]]:
        return {step for step, (_, end) in self.times.items() if end}


def shown(run: str, environment: Mapping[str, str]) -> Shown:
    return asyncio.run(_shown(run, Path(environment["CONDUCTOR_STATE"])))


async def _shown(run: str, state: Path) -> Shown:
    async with bootstrap.reading(bootstrap.load_settings(state)) as app:
        view = await runs.show(app.world, run)
    client = await connect(state_folder=state)
    try:
        found = await client.containers.list(all=True, filters={"label": [f"{LABEL_RUN}={run}"]})
        return Shown(view=view, containers={one["Names"][0].lstrip("/"): one.id for one in found})
    finally:
        await client.close()


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
    whole_report = shown(events[0]["run"], state).view.report
    assert whole_report is not None
    assert count(whole_report) > 0
    kills = 0
    for number in range(1, len(steps) + 1):
        cut = kill_after(run, state, number)
        if len(cut.steps) < number:
            continue  # the steps of builds and suites end in another order now and then
        before = shown(cut.run, state)
        if before.view.row.status is Status.ENDED:
            continue  # the kill came after the verdict: nothing is left to go on with
        kills += 1
        resumed = subprocess.run(
            [*conductor(), "runs", "resume", cut.run],
            env=state, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
        )  # fmt: skip
        after = shown(cut.run, state)
        where = (
            f"killed after step {number} {cut.steps[-1]}: {resumed.stdout[-2000:]}{resumed.stderr[-2000:]}"
        )
        assert resumed.returncode == 0, where
        assert after.view.report is not None, where
        assert after.view.report.outcome.verdict is Verdict.PASSED, where
        assert count(after.view.report) == count(whole_report), where
        assert set(cut.steps) <= before.ended, where
        again = {step for step in before.ended if after.times[step] != before.times[step]}
        assert not again, f"done twice: {again}; {where}"
        assert not after.containers, f"{where}: left behind {after.containers} (of {before.containers})"
    record_property("kills", kills)
    assert kills >= len(steps) - 2


def count(report: Report) -> int:
    return sum(suite.counts.passed for suite in report.suites)
