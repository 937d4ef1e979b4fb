"""What is told of a run: one check for each attempt, one comment for each branch, never a second one of either."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from conductor.adapters.github import GitHubHosting
from conductor.domain.delivery import Announcement, CommandGiven, Verb
from conductor.domain.run import Run
from conductor.domain.verdict import Verdict
from conductor.errors import RefusedError, UnreachableError
from tests.github.conftest import SHOP, a_run, as_app, at_work, failed
from tests.github.fake import BOT_ID, FakeGitHub, Repository

CHECKS = f"/repos/{SHOP}/check-runs"
COMMENTS = f"/repos/{SHOP}/issues/12/comments"


def opened(run: Run) -> Announcement:
    return Announcement(run=run.id, attempt=run.attempt, hosting="github")


async def test_a_run_is_told_by_a_check_and_a_comment_that_are_edited(
    shop: Repository, hosting: GitHubHosting
):
    run = a_run(shop.branches["12-cart"])
    told = await hosting.announce(opened(run), at_work(run))
    assert (told.final, set(told.marks)) == (False, {"check", "comment"})
    told = await hosting.announce(told, failed(run))
    assert told.final
    [check], [comment] = shop.checks, shop.comments
    assert (check["status"], check["conclusion"], check["external_id"]) == (
        "completed",
        "failure",
        "shop-k3v9qd/1",
    )
    assert (check["started_at"], check["completed_at"]) == ("2026-11-23T12:00:00Z", "2026-11-23T12:02:00Z")
    assert [action["identifier"] for action in check["actions"]] == ["rerun-failed"]
    assert check["annotations"][0]["path"] == "tests/test_cart.py"
    assert comment["body"].endswith("\nthe report")


async def test_what_was_told_already_is_not_told_again(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting
):
    run = a_run(shop.branches["12-cart"])
    told = await hosting.announce(opened(run), failed(run))
    before = sum(github.asked.values())
    assert await hosting.announce(told, failed(run)) == told
    assert sum(github.asked.values()) == before


async def test_a_crash_between_making_and_recording_makes_no_second_one(
    github: FakeGitHub, github_url: str, shop: Repository
):
    run = a_run(shop.branches["12-cart"])
    for telling in (at_work(run), at_work(run), failed(run), failed(run)):
        hosting = as_app(github, github_url)
        await hosting.announce(opened(run), telling)
        await hosting.aclose()
    assert (len(shop.checks), len(shop.comments)) == (1, 1)
    assert len(shop.checks[0]["annotations"]) == 1


@pytest.mark.parametrize("path", ["/check-runs", "/issues/12/comments"])
async def test_an_answer_that_is_lost_makes_no_second_one(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting, path: str
):
    run = a_run(shop.branches["12-cart"])
    github.fails("POST", path, 502, after=True)
    with pytest.raises(UnreachableError):
        await hosting.announce(opened(run), at_work(run))
    await hosting.announce(opened(run), at_work(run))
    assert (len(shop.checks), len(shop.comments)) == (1, 1)


async def test_runs_of_a_branch_that_are_told_at_once_share_one_comment(
    shop: Repository, hosting: GitHubHosting
):
    runs = [a_run(shop.branches["12-cart"], name=f"shop-aaaaa{number}", after=number) for number in range(8)]
    await asyncio.gather(*(hosting.announce(opened(run), at_work(run, body=run.id)) for run in runs))
    assert len(shop.checks) == 8
    [comment] = shop.comments
    assert comment["body"].endswith("shop-aaaaa7")


async def test_an_older_run_takes_the_word_from_no_newer_one(shop: Repository, hosting: GitHubHosting):
    commit = shop.branches["12-cart"]
    older, newer = a_run(commit, name="shop-aaaaaa"), a_run(commit, name="shop-bbbbbb", after=60)
    told = await hosting.announce(opened(older), at_work(older, body="older"))
    await hosting.announce(opened(newer), at_work(newer, body="newer"))
    await hosting.announce(told, replace(failed(older), verdict=Verdict.SUPERSEDED, body="older, superseded"))
    [comment] = shop.comments
    assert comment["body"].endswith("newer")
    assert [check.get("conclusion") for check in shop.checks] == ["cancelled", None]


async def test_an_earlier_attempt_takes_the_word_from_no_later_one(shop: Repository, hosting: GitHubHosting):
    first = a_run(shop.branches["12-cart"])
    second = replace(first, attempt=2)
    told = await hosting.announce(opened(first), at_work(first, body="first"))
    await hosting.announce(opened(second), at_work(second, body="second"))
    await hosting.announce(told, replace(failed(first), body="first, ended"))
    assert [comment["body"].endswith("second") for comment in shop.comments] == [True]
    assert [check["external_id"] for check in shop.checks] == ["shop-k3v9qd/1", "shop-k3v9qd/2"]


async def test_branches_of_one_issue_have_a_comment_each(shop: Repository, hosting: GitHubHosting):
    for name in ("12-cart", "12-cart-again"):
        run = a_run(shop.branches["12-cart"], name=f"shop-{len(name):06}".replace("0", "a"), branch=name)
        await hosting.announce(opened(run), at_work(run))
    assert len(shop.comments) == 2


async def test_a_mark_that_somebody_else_writes_is_not_ours(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting
):
    run = a_run(shop.branches["12-cart"])
    await hosting.announce(opened(run), at_work(run))
    forged = shop.comments.pop()["body"]
    github.comment_by(SHOP, 12, forged)
    await hosting.announce(opened(run), failed(run))
    theirs, ours = shop.comments
    assert theirs["body"] == forged
    assert ours["user"]["id"] == BOT_ID


async def test_our_comment_is_known_by_its_login_where_github_does_not_say_which_app_wrote_it(
    shop: Repository, hosting: GitHubHosting
):
    run = a_run(shop.branches["12-cart"])
    await hosting.announce(opened(run), at_work(run))
    shop.comments[0]["performed_via_github_app"] = None
    await hosting.announce(opened(run), failed(run))
    assert [comment["body"].endswith("the report") for comment in shop.comments] == [True]


async def test_our_comment_is_found_behind_many_others(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting
):
    run = a_run(shop.branches["12-cart"])
    for number in range(150):
        github.comment_by(SHOP, 12, f"words {number}")
    for telling in (at_work(run), failed(run)):
        await hosting.announce(opened(run), telling)
    assert len(shop.comments) == 151


async def test_many_annotations_are_sent_fifty_at_a_time_and_each_once(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting
):
    run = a_run(shop.branches["12-cart"])
    github.fails("PATCH", "/check-runs/1002", 400, after=True)
    telling = failed(run, failures=120)
    for _ in range(3):
        try:
            await hosting.announce(opened(run), telling)
        except RefusedError:
            assert not github.misfortunes
    assert not github.misfortunes
    lines = [one["start_line"] for one in shop.checks[0]["annotations"]]
    assert lines == list(range(1, 121))


async def test_a_check_or_comment_that_somebody_removed_is_made_again(
    shop: Repository, hosting: GitHubHosting
):
    run = a_run(shop.branches["12-cart"])
    told = await hosting.announce(opened(run), at_work(run))
    shop.checks.clear()
    shop.comments.clear()
    await hosting.announce(told, failed(run))
    assert (len(shop.checks), len(shop.comments)) == (1, 1)


async def test_where_the_issue_is_gone_the_pull_request_is_commented(
    shop: Repository, hosting: GitHubHosting
):
    shop.pull(40, "12-cart")
    run = a_run(shop.branches["12-cart"], issue=999, pull_request=40)
    await hosting.announce(opened(run), failed(run))
    assert [comment["issue"] for comment in shop.comments] == [40]


async def test_without_an_issue_there_is_the_check_alone(shop: Repository, hosting: GitHubHosting):
    run = a_run(shop.branches["main"], issue=None, branch="main")
    told = await hosting.announce(opened(run), failed(run))
    assert (set(told.marks), shop.comments) == ({"check"}, [])


async def test_by_a_token_the_verdict_is_a_commit_status(shop: Repository, by_token: GitHubHosting):
    run = a_run(shop.branches["12-cart"])
    told = await by_token.announce(opened(run), at_work(run))
    told = await by_token.announce(told, failed(run))
    assert [one["state"] for one in shop.statuses] == ["pending", "failure"]
    assert shop.statuses[-1]["target_url"] == "https://conductor.example.org/runs/shop-k3v9qd"
    assert (len(shop.checks), len(shop.comments)) == (0, 1)
    assert told.final


async def test_a_limit_while_telling_says_how_long_and_loses_nothing(
    github: FakeGitHub, shop: Repository, hosting: GitHubHosting
):
    run = a_run(shop.branches["12-cart"])
    github.fails("POST", "/issues/12/comments", 403, Retry_After="120")
    with pytest.raises(UnreachableError) as caught:
        await hosting.announce(opened(run), failed(run))
    assert caught.value.retry_after == timedelta(seconds=120)
    github.now += timedelta(seconds=121)
    await hosting.announce(opened(run), failed(run))
    assert (len(shop.checks), len(shop.comments)) == (1, 1)


async def test_a_command_is_answered_once(github: FakeGitHub, shop: Repository, hosting: GitHubHosting):
    github.comment_by(SHOP, 12, "/conductor run")
    asked = shop.comments[0]["id"]
    given = CommandGiven(
        repository=SHOP, issue=12, is_pull_request=False, sender="alice", verb=Verb.RUN, comment=asked
    )
    for _ in range(2):
        await hosting.answer(given, "a run was started", agreed=True)
    assert shop.reactions == {(asked, "+1")}
    for _ in range(2):
        await hosting.answer(given, "@everybody `may` not\n# this", agreed=False)
    assert [one["body"].partition("\n")[2] for one in shop.comments[1:]] == [
        "Conductor: `@everybody 'may' not # this`"
    ]
