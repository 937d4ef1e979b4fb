"""A fake GitHub on a port of its own, Conductor as an App and by a token, and runs to tell of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from conductor.adapters.github import App, GitHubHosting, GitHubSite
from conductor.domain.run import Run, Source, Status
from conductor.domain.telling import Annotation, Telling
from conductor.domain.trigger import Cause, Trigger
from conductor.domain.verdict import Verdict
from tests.github.fake import APP_ID, PAT, START, FakeGitHub, Repository
from tests.registries.serving import serving

SHOP = "acme/shop"
SECRETS = ("new secret", "old secret")


@pytest.fixture
def github() -> FakeGitHub:
    return FakeGitHub()


@pytest.fixture
def shop(github: FakeGitHub) -> Repository:
    repository = github.repository(SHOP)
    first = repository.commit("first", branch="main")
    repository.commit("second", parent=first, branch="12-cart", message="Add a cart")
    repository.issues.update({1, 12})
    repository.writers["alice"] = "write"
    return repository


@pytest.fixture
async def github_url(github: FakeGitHub) -> AsyncIterator[str]:
    async with serving(github.app()) as url:
        yield url


@pytest.fixture
async def hosting(github: FakeGitHub, github_url: str) -> AsyncIterator[GitHubHosting]:
    made = as_app(github, github_url)
    yield made
    await made.aclose()


@pytest.fixture
async def by_token(github: FakeGitHub, github_url: str) -> AsyncIterator[GitHubHosting]:
    site = GitHubSite(api=github_url, token=PAT, secrets=SECRETS)
    made = GitHubHosting(site, sleep=github.sleep, now=lambda: github.now)
    yield made
    await made.aclose()


def as_app(github: FakeGitHub, url: str) -> GitHubHosting:
    site = GitHubSite(api=url, app=App(id=APP_ID, private_key=github.pem), secrets=SECRETS)
    return GitHubHosting(site, sleep=github.sleep, now=lambda: github.now)


def a_run(commit: str, *, name: str = "shop-k3v9qd", branch: str = "12-cart", issue: int | None = 12, pull_request: int | None = None,
          attempt: int = 1, after: int = 0) -> Run:  # fmt: skip
    trigger = Trigger(
        cause=Cause.TAG, hosting="github", tag="run-integration-tests", issue=issue, pull_request=pull_request
    )
    source = Source(
        location="https://github.com/acme/shop.git", ref="run-integration-tests", commit=commit, branch=branch
    )
    return Run(id=name, repository=SHOP, source=source, principal="alice", requested_at=START + timedelta(seconds=after), attempt=attempt,
               trigger=trigger)  # fmt: skip


def at_work(run: Run, *, body: str = "at work") -> Telling:
    return Telling(run=run, state=Status.RUNNING, title="at work", summary="stages", body=body, started_at=START,
                   links={"run": f"https://conductor.example.org/runs/{run.id}"})  # fmt: skip


def failed(run: Run, *, failures: int = 1) -> Telling:
    found = tuple(
        Annotation(path="tests/test_cart.py", line=number + 1, title="tests: adds", message="1 != 2")
        for number in range(failures)
    )
    return replace(at_work(run, body="the report"), state=Status.ENDED, verdict=Verdict.FAILED, title="failed", annotations=found,
                   has_failures=True, ended_at=START + timedelta(minutes=2))  # fmt: skip
