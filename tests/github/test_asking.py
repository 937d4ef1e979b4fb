"""As whom GitHub is asked, with which rights, and what happens when it is busy, slow, or says no."""

from __future__ import annotations

from datetime import timedelta

import pytest

from conductor.adapters.github import GitHubHosting
from conductor.domain.delivery import Announcement
from conductor.errors import ConductorError, NotFoundError, RefusedError, UnreachableError
from tests.github.conftest import SHOP, a_run, at_work
from tests.github.fake import FakeGitHub, Repository

TOKENS = "POST /app/installations/77/access_tokens"
PERMISSION = f"/repos/{SHOP}/collaborators/alice/permission"


async def test_a_token_reaches_one_repository_with_the_permissions_of_its_use(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting
):
    github.repository("acme/other")
    await hosting.may_write(SHOP, "alice")
    await hosting.token_for("https://github.com/acme/shop.git")
    given = [(reached, dict(permissions)) for _, reached, permissions in github.tokens.values()]
    assert given == [
        ({SHOP}, {"contents": "read", "pull_requests": "read", "metadata": "read"}),
        ({SHOP}, {"contents": "read", "metadata": "read"}),
    ]


async def test_a_token_is_kept_and_renewed_before_it_ends(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting
):
    first = await hosting.token_for("https://github.com/acme/shop.git")
    github.now += timedelta(minutes=49)
    assert await hosting.token_for("https://github.com/acme/shop") == first
    github.now += timedelta(minutes=2)
    assert await hosting.token_for("https://github.com/acme/shop.git") != first
    assert github.asked[TOKENS] == 2


async def test_git_of_another_host_gets_no_token(github: FakeGitHub, hosting: GitHubHosting):
    assert await hosting.token_for("https://github.com.evil.example/acme/shop.git") is None
    assert not github.asked


async def test_a_token_that_github_takes_no_more_is_replaced(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting
):
    assert await hosting.may_write(SHOP, "alice")
    github.tokens.clear()
    assert await hosting.may_write(SHOP, "alice")
    assert github.asked[TOKENS] == 2


async def test_who_may_not_write_is_told_apart(shop: Repository, hosting: GitHubHosting):
    shop.writers["root"] = "admin"
    assert [await hosting.may_write(SHOP, who) for who in ("alice", "root", "mallory")] == [True, True, False]


async def test_an_app_that_is_not_installed_is_said_with_what_to_do(hosting: GitHubHosting):
    with pytest.raises(NotFoundError, match="not installed for acme/unknown") as caught:
        await hosting.may_write("acme/unknown", "alice")
    assert "Install it" in caught.value.remedy


async def test_a_missing_permission_is_named(github: FakeGitHub, shop: Repository, hosting: GitHubHosting):
    del github.granted["checks"]
    with pytest.raises(RefusedError) as caught:
        await hosting.announce(_announcement(), at_work(a_run(shop.branches["12-cart"])))
    assert "checks: write" in caught.value.remedy


async def test_what_stumbles_is_asked_again(github: FakeGitHub, shop: Repository, hosting: GitHubHosting):
    github.fails("GET", "/permission", 502, times=2)
    assert await hosting.may_write(SHOP, "alice")
    assert github.asked[f"GET {PERMISSION}"] == 3


async def test_what_stumbles_again_and_again_is_unreachable(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting
):
    github.fails("GET", "/permission", 503, times=5)
    with pytest.raises(UnreachableError, match="503"):
        await hosting.may_write(SHOP, "alice")


async def test_a_short_wait_that_github_asks_for_is_waited(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting
):
    before = github.now
    github.fails(
        "GET",
        "/permission",
        403,
        Retry_After="3",
        body={"message": "You have exceeded a secondary rate limit"},
    )
    assert await hosting.may_write(SHOP, "alice")
    assert github.now - before == timedelta(seconds=3)


async def test_a_limit_is_kept_without_asking_and_says_how_long(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting
):
    reset = int((github.now + timedelta(minutes=20)).timestamp())
    github.fails("GET", "/permission", 403, X_RateLimit_Remaining="0", X_RateLimit_Reset=str(reset))
    for _ in range(3):
        with pytest.raises(UnreachableError) as caught:
            await hosting.may_write(SHOP, "alice")
    assert timedelta(minutes=19) < (caught.value.retry_after or timedelta()) <= timedelta(minutes=21)
    assert github.asked[f"GET {PERMISSION}"] == 1
    github.now += timedelta(minutes=21)
    assert await hosting.may_write(SHOP, "alice")


async def test_a_limit_is_the_installations_and_not_the_repositorys(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting
):
    github.repository("acme/other")
    assert not await hosting.may_write("acme/other", "alice")
    github.fails("GET", "/permission", 429, Retry_After="120")
    for name in (SHOP, "acme/other"):
        with pytest.raises(UnreachableError, match="limit is reached"):
            await hosting.may_write(name, "alice")
    assert github.asked["GET /repos/acme/other/collaborators/alice/permission"] == 1


async def test_what_has_not_changed_is_not_sent_again(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting
):
    shop.tag("run-integration-tests", shop.branches["main"])
    first = await hosting.tags(SHOP, ["run-integration-tests*"])
    assert await hosting.tags(SHOP, ["run-integration-tests*"]) == first
    assert github.not_modified == 1


async def test_repositories_of_every_page_are_named(
    github: FakeGitHub, hosting: GitHubHosting, by_token: GitHubHosting
):
    names = [f"acme/r{number:03}" for number in range(230)]
    for name in names:
        github.repository(name)
    assert await hosting.repositories() == names
    assert await by_token.repositories() == names


@pytest.mark.parametrize("name", ["acme/..", "acme/shop/../x", "acme", "ac me/shop", "acme/shop?x=1"])
async def test_what_is_no_name_of_a_repository_is_asked_nowhere(
    github: FakeGitHub, hosting: GitHubHosting, name: str
):
    with pytest.raises(NotFoundError):
        await hosting.may_write(name, "alice")
    assert not github.asked


async def test_no_error_shows_a_credential(github: FakeGitHub, shop: Repository, hosting: GitHubHosting):
    github.fails("GET", "/permission", 400, body={"message": "ghs_" + "a" * 36})
    with pytest.raises(ConductorError) as caught:
        await hosting.may_write(SHOP, "alice")
    assert "ghs_" not in f"{caught.value!r}{caught.value.remedy}"


def _announcement() -> Announcement:
    return Announcement(run="shop-k3v9qd", attempt=1, hosting="github")


async def test_a_renamed_repository_is_asked_for_where_it_is_now(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting
):
    shop.issue(7, "Round")
    github.rename(SHOP, "acme/store")
    issues = hosting.issues()
    assert [one.number for one in await issues.list_issues(SHOP)] == [7]
    run = a_run(shop.branches["12-cart"])
    await hosting.announce(Announcement(run=run.id, attempt=1, hosting="github"), at_work(run))
    assert (len(shop.checks), len(shop.comments)) == (1, 1), "what is made is made there, once"
    assert {reached for _, reached, _ in github.tokens.values()} == {frozenset({"acme/store"})}


async def test_nobody_is_followed_to_another_server_or_for_ever(
    github: FakeGitHub, github_url: str, shop: Repository, hosting: GitHubHosting
):
    github.fails("GET", "/collaborators/alice/permission", 301, Location="https://evil.example/x")
    with pytest.raises(NotFoundError, match="answered 301"):
        await hosting.may_write(SHOP, "alice")
    asked = f"/repos/{SHOP}/issues/7"
    github.fails("GET", asked, 301, times=10, Location=f"{github_url}{asked}")
    with pytest.raises(NotFoundError, match="answered 301"):
        await hosting.issues().find_issue(SHOP, 7)
    assert github.asked[f"GET {asked}"] == 4
