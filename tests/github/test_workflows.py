"""Workflows of a repository: started, found, followed, cancelled; the names of secrets without a value."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from conductor.adapters.github import GitHubHosting, GitHubSite
from conductor.domain.delivery import WorkflowEnded
from conductor.errors import NotFoundError, RefusedError, UnreachableError
from conductor.ports.workflows import KnownSecrets
from tests.github.conftest import SHOP
from tests.github.fake import PAT, START, FakeGitHub, Repository

FILE, TITLE = "sync.yml", "conductor secrets a1"
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def installed(shop: Repository) -> None:
    shop.workflows.add(FILE)


async def test_a_run_is_known_by_what_the_dispatch_answers(hosting: GitHubHosting, shop: Repository):
    run = await hosting.workflows.dispatch(SHOP, FILE, {"sync": "a1"}, title=TITLE)
    assert run.id == shop.workflow_runs[0]["id"]
    assert run.link.endswith(f"/actions/runs/{run.id}")


async def test_an_older_server_is_asked_again_without_the_key_and_the_run_is_found_by_its_name(
    hosting: GitHubHosting, github: FakeGitHub, shop: Repository
):
    github.tells_run_details, github.lists_runs_after = False, 2
    run = await hosting.workflows.dispatch(SHOP, FILE, {"sync": "a1"}, title=TITLE)
    assert [one["id"] for one in shop.workflow_runs] == [run.id]
    assert github.now - START >= timedelta(seconds=10), "it was looked for until it was listed"


async def test_a_run_that_is_never_listed_is_said(hosting: GitHubHosting, github: FakeGitHub):
    github.tells_run_details, github.lists_runs_after = False, 10_000
    with pytest.raises(UnreachableError, match="lists no run called 'conductor secrets a1'"):
        await hosting.workflows.dispatch(SHOP, FILE, {"sync": "a1"}, title=TITLE)


async def test_it_is_started_on_the_default_branch(hosting: GitHubHosting, shop: Repository):
    shop.default_branch = "trunk"
    await hosting.workflows.dispatch(SHOP, FILE, {"sync": "a1"}, title=TITLE)
    assert len(shop.workflow_runs) == 1, "the fake takes no other ref"


async def test_where_the_workflow_is_missing_it_is_said_how_it_comes_there(
    hosting: GitHubHosting, shop: Repository
):
    shop.workflows.clear()
    with pytest.raises(NotFoundError, match=r"no workflow sync\.yml on its default branch") as caught:
        await hosting.workflows.dispatch(SHOP, FILE, {}, title=TITLE)
    assert "conductor secrets install" in caught.value.remedy


async def test_a_workflow_of_another_shape_is_said(hosting: GitHubHosting):
    inputs = {f"input_{number}": "" for number in range(26)}
    with pytest.raises(RefusedError, match="Unexpected inputs"):
        await hosting.workflows.dispatch(SHOP, FILE, inputs, title=TITLE)


async def test_a_run_is_followed_to_its_end(hosting: GitHubHosting, github: FakeGitHub, shop: Repository):
    async def runner(repository: Repository, run: dict[str, object]) -> str:
        while github.now < START + MINUTE:  # noqa: ASYNC110 -- its clock runs on as it is looked at
            await asyncio.sleep(0)
        return "success"

    github.runner = runner
    run = await hosting.workflows.dispatch(SHOP, FILE, {"sync": "a1"}, title=TITLE)
    assert (
        await hosting.workflows.follow(SHOP, run.id, patience=timedelta(minutes=5))
    ).conclusion == "success"
    assert github.not_modified > 0, "what has not changed costs no request"


async def test_patience_has_an_end(hosting: GitHubHosting, github: FakeGitHub):
    run = await hosting.workflows.dispatch(SHOP, FILE, {"sync": "a1"}, title=TITLE)
    assert (await hosting.workflows.follow(SHOP, run.id, patience=MINUTE)).conclusion == ""
    assert MINUTE <= github.now - START < 2 * MINUTE


async def test_a_delivery_has_it_looked_at_at_once(
    github: FakeGitHub, github_url: str, shop: Repository, hosting: GitHubHosting
):
    async def never(seconds: float) -> None:
        del seconds
        await asyncio.Event().wait()

    run = await hosting.workflows.dispatch(SHOP, FILE, {"sync": "a1"}, title=TITLE)
    patient = GitHubHosting(GitHubSite(api=github_url, token=PAT), sleep=never, now=lambda: github.now)
    path = f"GET /repos/{SHOP}/actions/runs/{run.id}"
    following = asyncio.create_task(patient.workflows.follow(SHOP, run.id, patience=MINUTE))
    async with asyncio.timeout(20):
        while not github.asked[path]:  # noqa: ASYNC110 -- a question that has come rings no bell
            await asyncio.sleep(0)
        shop.workflow_runs[0] |= {"status": "completed", "conclusion": "failure"}
        told = WorkflowEnded(repository="Acme/Shop", workflow=run.id, conclusion="failure")
        while not following.done():
            assert patient.workflows.ended(told) or following.done()
            await asyncio.sleep(0)
    assert (await following).conclusion == "failure"
    assert not patient.workflows.ended(told), "nobody follows it any more"
    await patient.aclose()


async def test_a_server_that_stumbles_meanwhile_is_waited_out(
    hosting: GitHubHosting, github: FakeGitHub, shop: Repository
):
    run = await hosting.workflows.dispatch(SHOP, FILE, {"sync": "a1"}, title=TITLE)
    shop.workflow_runs[0] |= {"status": "completed", "conclusion": "success"}
    github.fails("GET", f"/actions/runs/{run.id}", 502, times=4)
    assert (await hosting.workflows.follow(SHOP, run.id, patience=MINUTE)).conclusion == "success"


async def test_cancelling_bears_repetition(hosting: GitHubHosting, shop: Repository):
    run = await hosting.workflows.dispatch(SHOP, FILE, {"sync": "a1"}, title=TITLE)
    for _ in range(2):
        await hosting.workflows.cancel(SHOP, run.id)
    await hosting.workflows.cancel(SHOP, 99)
    assert shop.workflow_runs[0]["conclusion"] == "cancelled"


async def test_the_nearest_secret_of_a_name_is_what_a_workflow_sees(hosting: GitHubHosting, shop: Repository):
    shop.organization_secrets = {"A_QA": START, "B_QA": START}
    shop.secrets = {"A_QA": START + MINUTE, "C_QA": START}
    assert await hosting.workflows.secrets(SHOP, "qa") == KnownSecrets(
        changed={"A_QA": START + MINUTE, "B_QA": START, "C_QA": START}
    )
    shop.environment_secrets["qa"] = {"A_QA": START + 2 * MINUTE}
    known = await hosting.workflows.secrets(SHOP, "qa")
    assert known
    assert (known.changed["A_QA"], known.environment) == (START + 2 * MINUTE, "qa")


async def test_without_the_permission_to_list_them_nobody_knows(hosting: GitHubHosting, github: FakeGitHub):
    del github.granted["secrets"]
    assert await hosting.workflows.secrets(SHOP, "qa") is None
