"""Which branch, which issue, which of two is newer, which tags there are, and which deliveries were lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from conductor.adapters.github import GitHubHosting
from conductor.domain.delivery import CommandGiven, Placed, Tag, TagPushed, Verb
from conductor.errors import NotFoundError
from tests.github.conftest import SHOP, a_run
from tests.github.fake import START, FakeGitHub, Repository

TAG = "run-integration-tests-1"


def pushed(commit: str, *, branch: str = "", tag: str = TAG) -> TagPushed:
    return TagPushed(repository=SHOP, tag=tag, commit=commit, branch=branch, sender="alice")


def about(placed: Placed) -> tuple[str | None, int | None, int | None]:
    return placed.source.branch, placed.trigger.issue, placed.trigger.pull_request


async def test_the_branch_that_the_event_names_comes_first(shop: Repository, hosting: GitHubHosting):
    placed = await hosting.place(pushed(shop.branches["12-cart"], branch="other"))
    assert about(placed) == ("other", None, None)
    assert (placed.source.location, placed.source.ref) == ("https://github.com/acme/shop.git", TAG)


async def test_else_it_is_the_branch_whose_head_the_commit_is(shop: Repository, hosting: GitHubHosting):
    assert about(await hosting.place(pushed(shop.branches["12-cart"]))) == ("12-cart", 12, None)


async def test_else_it_is_that_of_an_open_pull_request(shop: Repository, hosting: GitHubHosting):
    behind = shop.branches["12-cart"]
    shop.commit("third", parent=behind, branch="12-cart")
    shop.pull(40, "12-cart")
    assert about(await hosting.place(pushed(behind))) == ("12-cart", 12, 40)


async def test_else_it_is_the_tags_own_name(shop: Repository, hosting: GitHubHosting):
    assert about(await hosting.place(pushed(shop.commit("loose")))) == (TAG, None, None)


async def test_a_branch_of_a_fork_is_not_the_branch_of_that_name_here(
    shop: Repository, hosting: GitHubHosting
):
    loose = shop.commit("loose")
    shop.pull(41, "main", source="mallory/shop", commit=loose)
    assert about(await hosting.place(pushed(loose))) == (TAG, None, 41)


async def test_the_tags_message_names_the_issue_before_the_commits(shop: Repository, hosting: GitHubHosting):
    commit = shop.commit("fix", branch="7-x", message="Mend it\n\nFixes #1")
    assert about(await hosting.place(pushed(commit))) == ("7-x", 1, None)
    shop.tag(TAG, commit, message="please\n\nIssue: #12")
    assert about(await hosting.place(pushed(commit))) == ("7-x", 12, None)


async def test_the_message_of_a_tag_that_moved_on_is_not_read(shop: Repository, hosting: GitHubHosting):
    shop.tag(TAG, shop.branches["main"], message="Issue: #1")
    assert about(await hosting.place(pushed(shop.branches["12-cart"]))) == ("12-cart", 12, None)


async def test_a_commit_that_is_not_there_is_said(shop: Repository, hosting: GitHubHosting):
    with pytest.raises(NotFoundError):
        await hosting.place(pushed("0" * 40))


@pytest.mark.parametrize("tag", ["a/b c", "run-?x=1", "..", "run-#1%2F", "--upload-pack=x", "{owner}"])
async def test_a_tag_of_any_name_is_data(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting, tag: str
):
    shop.tag(tag, shop.branches["12-cart"], message="Issue: #1")
    assert about(await hosting.place(pushed(shop.branches["12-cart"], tag=tag)))[:2] == ("12-cart", 1)


async def test_a_command_on_a_pull_request_is_placed_at_its_head(shop: Repository, hosting: GitHubHosting):
    shop.pull(40, "12-cart")
    placed = await hosting.place_command(command(40, is_pull_request=True))
    assert (placed.source.commit, placed.source.branch, placed.trigger.pull_request) == (
        shop.branches["12-cart"],
        "12-cart",
        40,
    )


async def test_a_command_on_an_issue_is_placed_at_its_pull_request_or_branch(
    shop: Repository, hosting: GitHubHosting
):
    assert (await hosting.place_command(command(12))).source.branch == "12-cart"
    shop.commit("more", branch="feature/x")
    shop.pull(41, "feature/x", body="Fixes #1")
    placed = await hosting.place_command(command(1))
    assert (placed.source.branch, placed.trigger.issue, placed.trigger.pull_request) == ("feature/x", 1, 41)


async def test_a_command_that_belongs_to_no_branch_or_to_several_is_refused(
    shop: Repository, hosting: GitHubHosting
):
    with pytest.raises(NotFoundError, match="no branch belongs to issue 1"):
        await hosting.place_command(command(1))
    shop.branches["issue-12"] = shop.branches["main"]
    with pytest.raises(NotFoundError, match="2 branches belong to issue 12"):
        await hosting.place_command(command(12))


def command(number: int, *, is_pull_request: bool = False) -> CommandGiven:
    return CommandGiven(
        repository=SHOP,
        issue=number,
        is_pull_request=is_pull_request,
        sender="alice",
        verb=Verb.RUN,
        comment=5,
    )


async def test_the_present_target_of_the_tag_decides_which_is_newer(shop: Repository, hosting: GitHubHosting):
    old, new = shop.branches["main"], shop.branches["12-cart"]
    shop.tag("run-integration-tests", old, message="back")
    assert await hosting.order(SHOP, a_run(old, branch="x"), a_run(new, branch="x")) == "newer"
    assert await hosting.order(SHOP, a_run(new, branch="x"), a_run(old, branch="x")) == "older"


async def test_else_the_present_head_of_the_branch_does(shop: Repository, hosting: GitHubHosting):
    forced, gone = shop.branches["main"], shop.commit("gone", parent=shop.branches["main"])
    assert await hosting.order(SHOP, a_run(forced, branch="main"), a_run(gone, branch="main")) == "newer"


async def test_else_ancestry_does_and_else_it_is_unknown(shop: Repository, hosting: GitHubHosting):
    first, second, other = shop.branches["main"], shop.branches["12-cart"], shop.commit("other")
    runs = {commit: a_run(commit, branch="gone") for commit in (first, second, other)}
    asked = [(second, first), (first, second), (first, first), (first, other)]
    found = [await hosting.order(SHOP, runs[one], runs[two]) for one, two in asked]
    assert found == ["newer", "older", "same", "unknown"]


async def test_trigger_tags_are_listed_with_the_commits_that_they_lead_to(
    shop: Repository, hosting: GitHubHosting
):
    commit = shop.branches["main"]
    shop.tag("run-integration-tests", commit)
    shop.tag("run-integration-tests-b", commit, message="annotated")
    shop.tag("run-integration-testsuite", commit)
    shop.tags["run-integration-tests-blob"] = ("blob", "f" * 40)
    for number in range(120):
        shop.tag(f"run-integration-tests-{number:03}", commit)
    found = await hosting.tags(SHOP, ["run-integration-tests", "run-integration-tests-*"])
    assert len(found) == 122
    assert {Tag(name="run-integration-tests-b", commit=commit)} < set(found)
    assert {tag.commit for tag in found} == {commit}


async def test_deliveries_that_never_arrived_are_brought_first_come_first(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting, by_token: GitHubHosting
):
    push = {
        "ref": f"refs/tags/{TAG}",
        "head_commit": {"id": "a" * 40},
        "repository": {"full_name": SHOP},
        "sender": {"login": "alice"},
    }
    later = github.deliver("push", push, status=502, ago=timedelta(minutes=1))
    first = github.deliver("push", push, status=0, ago=timedelta(minutes=9))
    again = github.deliver("push", push, status=500, ago=timedelta(minutes=8))
    github.deliver("push", push, status=202, ago=timedelta(minutes=7), guid=again)
    github.deliver("push", push, status=500, ago=timedelta(hours=3))
    github.deliver("push", {**push, "ref": "refs/heads/main"}, status=500, ago=timedelta(minutes=6))
    github.deliver("star", {}, status=500, ago=timedelta(minutes=5))
    for _ in range(120):
        github.deliver("push", push, status=202, ago=timedelta(minutes=4))
    found = await hosting.lost(since=START - timedelta(hours=1))
    assert [one.id for one in found] == [first, later]
    assert isinstance(hosting.read(found[0]), TagPushed)
    assert await by_token.lost(since=START - timedelta(hours=1)) == ()
