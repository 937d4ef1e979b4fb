"""A repository on a fake GitHub, its runner, a namespace on a fake cluster, and the secrets that go from one to the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conductor.adapters.github import App, GitHubHosting, GitHubSite
from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.engine import KubernetesEngine
from conductor.adapters.kubernetes.manifests.site import Site, Writer
from conductor.adapters.secrets.synced import Rules, SyncedSecrets
from conductor.domain.lease import Lease
from conductor.domain.run import Run, Source
from conductor.ports.engine import Place
from conductor.ports.workflows import SYNC_FILE
from conductor.ports.writing import Writing
from tests.github.fake import APP_ID, START, FakeGitHub, Repository
from tests.kubernetes.fake_api import FakeApiServer
from tests.registries.serving import serving
from tests.syncing.actions import Actions

SHOP = "acme/shop"
WRITER = Writer(namespace="arc-runners", account="conductor-runner", role="conductor-secret-writer")
VALUES = {
    "STRIPE_KEY_QA": "sk-live-of-qa",
    "OPENAI_API_KEY_QA": "two\nlines",
    "STRIPE_KEY_PROD": "of-production",
}


@dataclass(frozen=True)
class GitHubClock:
    """The clock of the fake GitHub."""

    github: FakeGitHub

    def now(self) -> datetime:
        return self.github.now

    async def sleep(self, duration: timedelta) -> None:
        await self.github.sleep(duration.total_seconds())


@dataclass(kw_only=True)
class Stage:
    """Everything that a sync goes through."""

    github: FakeGitHub
    shop: Repository
    actions: Actions
    hosting: GitHubHosting
    engine: KubernetesEngine
    run: Run
    server: FakeApiServer | None = None

    @property
    def writing(self) -> Writing:
        assert self.engine.writing
        return self.engine.writing

    @property
    def place(self) -> Place:
        return Place(namespace=self.run.namespace, run=self.run.id)

    def secrets(self, **rules: object) -> SyncedSecrets:
        """Return what another process would have."""
        clock = GitHubClock(self.github)
        return SyncedSecrets(
            workflows=self.hosting.workflows, writing=self.writing, clock=clock, rules=Rules(**rules)
        )


def a_repository(github: FakeGitHub, values: Mapping[str, str]) -> Repository:
    shop = github.repository(SHOP)
    shop.workflows.add(SYNC_FILE)
    shop.secrets = dict.fromkeys(values, START)
    return shop


def a_run(name: str = "shop-k3v9qd", *, environment: str = "qa") -> Run:
    source = Source(location="https://github.com/acme/shop.git", commit="a" * 40)
    return Run(
        id=name,
        repository=SHOP,
        source=source,
        principal="alice",
        requested_at=START,
        environment=environment,
    )


def a_lease(run: Run, now: datetime = START) -> Lease:
    return Lease(
        namespace=run.namespace,
        run=run.id,
        repository=SHOP,
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )


@asynccontextmanager
async def playing(
    folder: Path,
    *,
    kubeconfig: str,
    values: Mapping[str, str],
    runner: str = "",
    run: Run | None = None,
    instance: str = "test",
    writer: Writer = WRITER,
    **site: object,
) -> AsyncIterator[Stage]:
    """Set it up on a cluster; `runner` is the runner's own kubeconfig."""
    github, run = FakeGitHub(), run or a_run()
    shop = a_repository(github, values)
    github.runner = actions = Actions(folder, kubeconfig=runner or kubeconfig, values=values)
    engine = KubernetesEngine(
        Connection(kubeconfig=kubeconfig), site=Site(instance=instance, writer=writer, **site)
    )
    async with serving(github.app()) as url:
        of_github = GitHubSite(api=url, app=App(id=APP_ID, private_key=github.pem))
        hosting = GitHubHosting(of_github, sleep=github.rest, now=lambda: github.now)
        made = Stage(github=github, shop=shop, actions=actions, hosting=hosting, engine=engine, run=run)
        try:
            await engine.create_namespace(made.place, a_lease(run, datetime.now(UTC)))
            yield made
        finally:
            await engine.delete_namespace(run.namespace)
            await hosting.aclose()
            await engine.aclose()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with (
        FakeApiServer(tmp_path / "cluster") as server,
        playing(tmp_path, kubeconfig=str(server.kubeconfig), values=VALUES) as made,
    ):
        yield replace(made, server=server)
