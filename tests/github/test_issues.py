"""GitHub's issues: which may be taken, and the one comment that says who has which."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from conductor.adapters.github import GitHubHosting
from conductor.adapters.github.issues import GitHubIssues
from conductor.domain.claim import Claim
from conductor.errors import NotFoundError, UnreachableError
from tests.github.conftest import SHOP, as_app
from tests.github.fake import BOT_ID, START, FakeGitHub, Repository

LABEL = "conductor:claimed"


@pytest.fixture
def issues(shop: Repository, hosting: GitHubHosting) -> GitHubIssues:
    shop.issue(12, "The cart is empty", "bug", "agents", body="Always.")
    return hosting.issues(label=LABEL)


def a_claim(principal: str = "agent-1", *, after: timedelta = timedelta(0)) -> Claim:
    at = START + after
    return Claim(
        repository=SHOP,
        issue=12,
        principal=principal,
        branch="12-the-cart-is-empty",
        claimed_at=at,
        expires_at=at + timedelta(hours=8),
    )


def labels(shop: Repository) -> list[str]:
    return [one["name"] for one in shop.tickets[12]["labels"]]


async def test_open_issues_are_listed_by_label_without_pull_requests(shop: Repository, issues: GitHubIssues):
    shop.issue(3, "Prices are wrong", "bug")
    shop.issue(5, "Old", "bug")["state"] = "closed"
    shop.pull(40, "12-cart")
    assert [one.number for one in await issues.list_issues(SHOP)] == [3, 12]
    assert [one.number for one in await issues.list_issues(SHOP, labels=("bug", "agents"))] == [12]
    assert [one.number for one in await issues.list_issues(SHOP, limit=1)] == [3]


async def test_a_long_list_is_read_page_by_page(github: FakeGitHub, shop: Repository, issues: GitHubIssues):
    for number in range(100, 350):
        shop.issue(number, "one of many")
    assert len(await issues.list_issues(SHOP, limit=120)) == 120
    assert github.asked[f"GET /repos/{SHOP}/issues"] == 2


async def test_an_issue_says_all_that_whoever_takes_it_needs(shop: Repository, issues: GitHubIssues):
    found = await issues.find_issue(SHOP, 12)
    assert (found.title, found.body, found.labels, found.author, found.is_open) == (
        "The cart is empty",
        "Always.",
        ("bug", "agents"),
        "alice",
        True,
    )
    assert (found.url, found.updated_at) == ("https://github.com/acme/shop/issues/12", START)
    shop.tickets[12]["pull_request"] = {"url": "https://api.github.com/x"}
    with pytest.raises(NotFoundError, match="is a pull request"):
        await issues.find_issue(SHOP, 12)
    with pytest.raises(NotFoundError):
        await issues.find_issue(SHOP, 99)


async def test_a_claim_is_one_comment_that_is_edited_and_a_label(shop: Repository, issues: GitHubIssues):
    shown = await issues.show_claim(a_claim())
    assert labels(shop) == ["bug", "agents", LABEL]
    await issues.show_claim(replace(shown, expires_at=START + timedelta(hours=9)))
    (comment,) = shop.comments
    assert shown.marks == {"comment": str(comment["id"])}
    assert (
        "`agent-1` works on this until 2026-11-23 21:00 UTC, on the branch `12-the-cart-is-empty`"
        in comment["body"]
    )
    await issues.hide_claim(shown)
    assert labels(shop) == ["bug", "agents"]
    assert "Nobody works on this just now" in comment["body"]
    await issues.hide_claim(shown)
    await issues.show_claim(a_claim("agent-2", after=timedelta(hours=9)))
    assert len(shop.comments) == 1
    assert "agent-2" in shop.comments[0]["body"]


async def test_a_claim_that_is_over_does_not_hide_the_next_one(shop: Repository, issues: GitHubIssues):
    first = await issues.show_claim(a_claim())
    await issues.show_claim(a_claim("agent-2", after=timedelta(hours=9)))
    await issues.hide_claim(first)
    assert "agent-2" in shop.comments[0]["body"]
    assert LABEL in labels(shop)


async def test_an_answer_that_is_lost_makes_no_second_comment(
    github: FakeGitHub, github_url: str, shop: Repository, issues: GitHubIssues
):
    github.fails("POST", "/issues/12/comments", 502, after=True)
    with pytest.raises(UnreachableError):
        await issues.show_claim(a_claim())
    another = as_app(github, github_url)
    await another.issues(label=LABEL).show_claim(a_claim())
    await another.aclose()
    assert len(shop.comments) == 1


async def test_a_label_that_cannot_be_set_is_no_failure(
    github: FakeGitHub, shop: Repository, issues: GitHubIssues
):
    github.fails("POST", "/issues/12/labels", 403)
    shown = await issues.show_claim(a_claim())
    assert len(shop.comments) == 1
    await issues.hide_claim(shown)
    assert labels(shop) == ["bug", "agents"]


async def test_what_somebody_else_writes_is_no_mark_and_a_strange_name_means_nothing(
    github: FakeGitHub, shop: Repository, issues: GitHubIssues
):
    github.comment_by(SHOP, 12, "<!-- conductor: claim=none -->\nmine")
    await issues.show_claim(a_claim("`@team` <!-- x"))
    assert [one["user"]["id"] == BOT_ID for one in shop.comments] == [False, True]
    assert "`'@team' <! -- x` works" in shop.comments[1]["body"]
