"""Dashboards follow runs: made while they are at work, removed when the stack is gone and the day over; without Grafana nothing breaks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from conductor.adapters.grafana.dashboards import GrafanaDashboards
from conductor.domain.event import Kind
from conductor.domain.verdict import Verdict
from conductor.operations import environments
from conductor.operations.dashboards import STAYS, keep_dashboards
from conductor.operations.environments import EnvironmentRequest
from conductor.operations.stacks import delete
from conductor.ports.dashboards import Board, Of
from conductor.ports.world import install
from tests.grafana.fake import TOKEN, VIEWER, FakeGrafana
from tests.registries.serving import serving
from tests.scenarios.service_stage import BOUND_SECONDS, SHOP, Server
from tests.scenarios.stage import Stage


@pytest.fixture
def grafana() -> FakeGrafana:
    return FakeGrafana()


@pytest.fixture
async def url(grafana: FakeGrafana) -> AsyncIterator[str]:
    async with serving(grafana.app()) as found:
        yield found


@pytest.fixture
async def dashboards(url: str) -> AsyncIterator[GrafanaDashboards]:
    made = GrafanaDashboards(url, TOKEN, instance="one")
    yield made
    await made.aclose()


def a_stage(folder: Path, dashboards: GrafanaDashboards) -> Stage:
    stage = Stage(folder)
    stage.world = replace(stage.world, dashboards=dashboards)
    return stage


async def test_a_run_has_its_dashboard_as_long_as_its_stack_and_a_day(
    tmp_path: Path, grafana: FakeGrafana, dashboards: GrafanaDashboards
):
    async with a_stage(tmp_path, dashboards).launched() as stage:
        run = await stage.request()
        outcome = await (await stage.start(run)).result()
        assert outcome.verdict is Verdict.PASSED
        report = await stage.store.find_report(run.id)
        assert report is not None
        assert report.links["dashboard"] == dashboards.link(Board(Of.RUN, run.id))
        assert await keep_dashboards(stage.world) == {"made": 3}
        assert {one["title"] for one in grafana.dashboards.values()} == {
            "Conductor one: fleet", f"Repository {run.repository}", f"Run {run.id}"
        }  # fmt: skip
        await stage.clock.sleep(STAYS + timedelta(minutes=1))
        assert await keep_dashboards(stage.world) == {}
        await delete(stage.world, run.id)
        assert await keep_dashboards(stage.world) == {"removed": 1}
        assert dashboards.uid(Board(Of.RUN, run.id)) not in grafana.dashboards


async def test_a_grafana_that_refuses_is_a_note_in_the_run_once_and_no_verdict(
    tmp_path: Path, grafana: FakeGrafana, url: str
):
    refused = GrafanaDashboards(url, VIEWER, instance="one")
    async with a_stage(tmp_path, refused).launched() as stage:
        run = await stage.request()
        handle = await stage.start(run)
        for _ in range(2):
            assert await keep_dashboards(stage.world) == {"failed": 3}
        assert (await handle.result()).verdict is Verdict.PASSED
        notes = [str(one.data["text"]) for one in await stage.store.events(run.id) if one.kind is Kind.NOTE]
        assert len([text for text in notes if "no dashboard of this run" in text and "HTTP 403" in text]) == 1
    await refused.aclose()


async def test_an_environment_has_its_dashboard_as_long_as_it_stands(
    tmp_path: Path, grafana: FakeGrafana, dashboards: GrafanaDashboards
):
    async with Server(tmp_path).launched() as server:
        world = replace(server.service.world, dashboards=dashboards)
        install(world)
        asked = EnvironmentRequest(location=server.shop.location, repository=SHOP, principal="kim", issue=12)
        name = (await environments.request(world, asked)).environment.id
        row = await environments.wait(world, name, timeout=timedelta(seconds=BOUND_SECONDS))
        board = Board(Of.ENVIRONMENT, name)
        assert row.state.links["dashboard"] == dashboards.link(board)
        assert row.state.links["logs"] == dashboards.logs(board)
        await keep_dashboards(world)
        assert grafana.dashboards[dashboards.uid(board)]["title"] == f"Environment {name}"
        await environments.release(world, name)
        assert await keep_dashboards(world) == {"removed": 1}
