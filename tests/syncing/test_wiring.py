"""From settings to a sync, and from a delivery of GitHub to whoever waits for it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conductor import bootstrap
from conductor.adapters.github import App, GitHubHosting, GitHubSite
from conductor.adapters.secrets.embedded import EmbeddedSecrets
from conductor.adapters.secrets.synced import SyncedSecrets
from conductor.adapters.stores.access import SqlAccess
from conductor.adapters.stores.inbox import SqlDuties, SqlInbox, SqlOutbox
from conductor.adapters.stores.queue import SqlQueue
from conductor.adapters.stores.sql import SqlStore
from conductor.domain.delivery import Delivery, DeliveryStatus
from conductor.errors import ConfigurationError
from conductor.operations.intake import take_in
from conductor.ports.service import Service
from conductor.settings import read_settings
from tests.github.fake import APP_ID, Repository
from tests.registries.serving import serving
from tests.scenarios.stage import Stage as Scenario
from tests.syncing.conftest import SHOP, GitHubClock, Stage

WANTED = {"backend": ("STRIPE_KEY",)}


async def test_without_the_setting_secrets_are_found_here(tmp_path: Path):
    async with bootstrap.reading(read_settings(state=tmp_path / "state")) as app:
        assert isinstance(app.world.secrets, EmbeddedSecrets)


async def test_a_workflow_needs_a_cluster_and_github_and_both_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CONDUCTOR_SECRETS", "github")
    monkeypatch.setenv("CONDUCTOR_ENGINE", "fake")
    with pytest.raises(ConfigurationError) as caught:
        async with bootstrap.reading(read_settings(state=tmp_path / "state")):
            pass
    assert "CONDUCTOR_ENGINE: a workflow brings secrets to a cluster" in caught.value.message
    assert "CONDUCTOR_GITHUB_APP_ID: a workflow is dispatched on GitHub" in caught.value.message
    assert "sync-secrets.md" in caught.value.remedy


async def test_with_both_a_process_brings_secrets_by_its_settings(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with serving(stage.github.app()) as url:
        key = tmp_path / "key.pem"
        key.write_text(stage.github.pem)
        for name, value in {
            "SECRETS": "github", "ENGINE": "kubernetes", "KUBECONFIG": str(tmp_path / "cluster" / "kubeconfig"), "GITHUB_URL": url,
            "GITHUB_APP_ID": APP_ID, "GITHUB_PRIVATE_KEY_FILE": str(key), "SECRETS_ENVIRONMENTS": "qa,prod", "SECRETS_RUNNER": "mine",
            "SECRETS_ACCOUNT": "runners/writer", "SECRETS_ROLE": "some-writer", "SECRETS_TIMEOUT_SECONDS": "7", "INSTANCE": "test",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"CONDUCTOR_{name}", value)
        async with bootstrap.reading(read_settings(state=tmp_path / "state")) as app:
            secrets = app.world.secrets
            assert isinstance(secrets, SyncedSecrets)
            assert app.github
            assert app.world.workflows is app.github.workflows
            with pytest.raises(KeyError):
                secrets.value("run", "KEY")


async def test_a_delivery_ends_the_wait_where_looking_would_take_for_ever(stage: Stage, tmp_path: Path):
    async def never(seconds: float) -> None:
        del seconds
        await asyncio.Event().wait()

    async def seen_at_work(repository: Repository, run: dict[str, Any]) -> str:
        conclusion = await stage.actions(repository, run)
        async with asyncio.timeout(30):
            while not stage.github.asked[f"GET /repos/{SHOP}/actions/runs/{run['id']}"]:  # noqa: ASYNC110 -- rings no bell
                await asyncio.sleep(0)
        return conclusion

    stage.github.runner = seen_at_work
    async with serving(stage.github.app()) as url:
        site = GitHubSite(api=url, app=App(id=APP_ID, private_key=stage.github.pem))
        hosting = GitHubHosting(site, sleep=never, now=lambda: stage.github.now)
        secrets = SyncedSecrets(
            workflows=hosting.workflows, writing=stage.writing, clock=GitHubClock(stage.github)
        )
        syncing = asyncio.create_task(secrets.sync(stage.run, WANTED))
        async with asyncio.timeout(60):
            while not (stage.shop.workflow_runs and stage.shop.workflow_runs[0]["conclusion"]):  # noqa: ASYNC110 -- as above
                await asyncio.sleep(0)
            assert not syncing.done()
            (handled,) = await deliver(stage, hosting, tmp_path / "first")
            assert (handled.status, handled.note) == (DeliveryStatus.DONE, "a sync of secrets waits for it")
            assert (await syncing).dispatches == 1
            (late,) = await deliver(stage, hosting, tmp_path / "late")
            assert late.status is DeliveryStatus.IGNORED
        await hosting.aclose()


async def deliver(stage: Stage, hosting: GitHubHosting, folder: Path) -> list[Delivery]:
    """Have a server take in what GitHub sends when a workflow has ended."""
    store = await SqlStore.open(folder.with_suffix(".db"))
    world = replace(Scenario(folder).world, store=store, workflows=hosting.workflows)
    inbox = SqlInbox(store.database)
    service = Service(
        world=world, inbox=inbox, outbox=SqlOutbox(store.database), duties=SqlDuties(store.database), queue=SqlQueue(store.database),
        access=SqlAccess(store.database), hostings={"github": hosting},
    )  # fmt: skip
    run = stage.shop.workflow_runs[0]
    told = {"id": run["id"], "conclusion": run["conclusion"]}
    payload = {"action": "completed", "workflow_run": told, "repository": {"full_name": SHOP}}
    delivery = Delivery(
        id="one", hosting="github", event="workflow_run", body=json.dumps(payload).encode(), received_at=world.clock.now(),
    )  # fmt: skip
    await inbox.store(delivery)
    await take_in(service)
    found = await inbox.find("one")
    await store.aclose()
    assert found
    return [found]
