"""A whole run whose secrets a workflow brings: what it records, and how it is stopped while it waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from conductor.adapters.fake.forge import FakeForge
from conductor.domain.event import Kind
from conductor.domain.run import Run
from conductor.domain.verdict import Verdict
from conductor.operations import start_run
from conductor.operations.start_run import RunRequest
from conductor.ports.engine import Place
from conductor.reports.as_json import to_json
from tests.kubernetes.fake_api import FakeApiServer
from tests.kubernetes.fake_api.kinds import ROLE_BINDINGS
from tests.scenarios.stage import PLAN
from tests.scenarios.stage import SHOP as FOLDER
from tests.scenarios.stage import Stage as Scenario
from tests.syncing.conftest import VALUES, Stage, a_lease, playing

URL = "https://github.com/acme/shop.git"
WITH_SECRETS = f"{PLAN}secrets: [{{name: STRIPE_KEY, for: [tests, backend]}}]\n"


@asynccontextmanager
async def scenario(folder: Path, **rules: object) -> AsyncIterator[tuple[Scenario, Stage, FakeApiServer]]:
    """A run on the fake engine, with the secrets of a real cluster's kind beside it."""
    async with (
        FakeApiServer(folder / "cluster") as server,
        playing(folder, kubeconfig=str(server.kubeconfig), values=VALUES) as stage,
    ):
        made = Scenario(folder / "state", plan=WITH_SECRETS)
        forge = FakeForge({URL: made.forge.repositories[FOLDER]})
        made.world = replace(
            made.world, forge=forge, secrets=stage.secrets(**rules), workflows=stage.hosting.workflows
        )
        yield made, stage, server


async def begun(made: Scenario, stage: Stage) -> Run:
    """Ask for the run, and make its namespace on the cluster: the fake engine makes it elsewhere."""
    run = await start_run.request(made.world, RunRequest(location=URL, principal="kim"))
    place = Place(namespace=run.namespace, run=run.id)
    await stage.engine.create_namespace(place, a_lease(run, datetime.now(UTC)))
    await made.start(run)
    return run


async def test_the_run_says_that_it_waited_and_holds_no_value(tmp_path: Path):
    (tmp_path / "state").mkdir()
    async with scenario(tmp_path) as (made, stage, _), made.launched():
        run = await begun(made, stage)
        ended = await made.until(run, Kind.RUN_ENDED)
        assert ended.data["verdict"] == Verdict.PASSED
        notes = [event.data for event in made.store.log[run.id] if event.kind is Kind.NOTE]
        (note,) = [data for data in notes if data["text"].startswith("secrets:")]
        assert note["text"].startswith(
            "secrets: 1 brought for backend, tests by a workflow on GitHub; waited"
        )
        assert note["workflow"] == stage.shop.workflow_runs[0]["html_url"]
        report = made.report(run)
        (step,) = [one for one in report.steps if one.name == "sync-secrets"]
        assert step.ended_at
        records = "".join(repr(event) for event in made.store.log[run.id]) + to_json(report)
    kept = b"".join(file.read_bytes() for file in (tmp_path / "state").rglob("*") if file.is_file())
    for value in VALUES.values():
        for shown in (value, json.dumps(value)[1:-1]):
            assert shown not in records
            assert shown.encode() not in kept


async def test_a_run_that_is_cancelled_while_it_waits_cancels_the_workflow(tmp_path: Path):
    (tmp_path / "state").mkdir()
    patience = timedelta(days=365)
    async with scenario(tmp_path, patience=patience) as (made, stage, server), made.launched():
        stage.github.runner = None
        run = await begun(made, stage)
        async with asyncio.timeout(30):
            while not stage.shop.workflow_runs:  # noqa: ASYNC110 -- the fake rings no bell
                await asyncio.sleep(0)
        outcome = await made.cancel(run)
        assert outcome.verdict is Verdict.CANCELLED
        assert stage.shop.workflow_runs[0]["conclusion"] == "cancelled"
        bindings = server.store.all(ROLE_BINDINGS, run.namespace)
        assert [one["metadata"]["name"] for one in bindings] == []
