"""Issues of bare repositories: real git, several writers at once, and people who write by git as well."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.contract.test_forge import git_in

from conductor.adapters.folder.hosting import FolderHosting
from conductor.adapters.folder.issues import REF, FolderIssues
from conductor.domain.claim import Claim
from conductor.domain.delivery import Announcement
from conductor.domain.run import Run, Source, Status
from conductor.domain.telling import Telling
from conductor.domain.trigger import Cause, Trigger
from conductor.domain.verdict import Verdict
from conductor.errors import NotFoundError
from conductor.ports.issues import OwnIssues

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
Git = Callable[..., str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repositories"
    (root / "acme").mkdir(parents=True)
    git_in(root)("init", "--quiet", "--bare", "--initial-branch=main", "acme/shop.git")
    return root


@pytest.fixture
def bare(root: Path) -> Git:
    return git_in(root / "acme" / "shop.git")


@pytest.fixture
def issues(root: Path) -> FolderIssues:
    return FolderIssues(root, now=lambda: NOON)


def a_claim(principal: str = "agent-1", *, at: datetime = NOON) -> Claim:
    return Claim(
        repository="acme/shop",
        issue=1,
        principal=principal,
        branch="1-cart",
        claimed_at=at,
        expires_at=at + timedelta(hours=8),
    )


def written(bare: Git, path: str) -> str:
    return bare("show", f"{REF}:{path}")


async def test_an_issue_is_a_file_that_git_shows(issues: FolderIssues, bare: Git):
    made = await issues.create_issue(
        "acme/shop", title="Prices are\nwrong", body="By a cent.", labels=("bug", "agents"), author="ada"
    )
    assert (made.number, made.title, made.updated_at) == (1, "Prices are wrong", NOON)
    assert await issues.find_issue("acme/shop", 1) == made
    assert written(bare, "1.md").splitlines()[:4] == [
        "---",
        "title: Prices are wrong",
        "state: open",
        "labels: bug, agents",
    ]
    assert isinstance(issues, OwnIssues)


async def test_open_issues_are_listed_by_label_oldest_first(issues: FolderIssues):
    for title, labels in (("a", ("bug",)), ("b", ()), ("c", ("bug", "ui")), ("d", ("bug",))):
        await issues.create_issue("acme/shop", title=title, labels=labels)
    assert not (await issues.close_issue("acme/shop", 1)).is_open
    assert not (await issues.close_issue("acme/shop", 1)).is_open
    assert [one.number for one in await issues.list_issues("acme/shop")] == [2, 3, 4]
    assert [one.number for one in await issues.list_issues("acme/shop", labels=("bug",), limit=1)] == [3]
    assert [one.number for one in await issues.list_issues("acme/shop", labels=("bug", "ui"))] == [3]


async def test_a_repository_without_issues_has_none_and_what_is_not_there_is_said(issues: FolderIssues):
    assert await issues.list_issues("acme/shop") == []
    with pytest.raises(NotFoundError, match="has no issue 7"):
        await issues.find_issue("acme/shop", 7)
    with pytest.raises(NotFoundError, match="there is no repository"):
        await issues.list_issues("acme/../shop")


async def test_issues_that_are_made_at_the_same_time_get_numbers_of_their_own(issues: FolderIssues):
    made = await asyncio.gather(*(issues.create_issue("acme/shop", title=f"t{n}") for n in range(4)))
    assert sorted(one.number for one in made) == [1, 2, 3, 4]
    assert {one.title for one in await issues.list_issues("acme/shop")} == {"t0", "t1", "t2", "t3"}


async def test_what_people_push_is_read_even_without_a_head(issues: FolderIssues, root: Path, tmp_path: Path):
    await issues.create_issue("acme/shop", title="first")
    git_in(tmp_path)("clone", "--quiet", str(root / "acme" / "shop.git"), "work")
    git = git_in(tmp_path / "work")
    git("fetch", "--quiet", "origin", f"{REF}:issues")
    git("switch", "--quiet", "issues")
    (tmp_path / "work" / "2.md").write_text("# Cart is empty\n\nAlways.\n")
    (tmp_path / "work" / "notes.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "work" / "3.md").symlink_to("/etc/passwd")
    git("add", "--all")
    git("commit", "--quiet", "-m", "by hand")
    git("push", "--quiet", "origin", f"issues:{REF}")
    found = await issues.list_issues("acme/shop")
    assert [(one.number, one.title) for one in found] == [(1, "first"), (2, "Cart is empty")]
    assert (await issues.create_issue("acme/shop", title="next")).number == 3


async def test_a_claim_is_shown_once_and_only_its_own_end_hides_it(issues: FolderIssues, bare: Git):
    await issues.create_issue("acme/shop", title="cart")
    shown = await issues.show_claim(a_claim())
    assert shown.marks == {"file": "1/claim.md"}
    await issues.show_claim(a_claim())
    assert "`agent-1` works on this until 2026-11-24 20:00 UTC, on the branch `1-cart`" in written(
        bare, "1/claim.md"
    )
    assert bare("rev-list", "--count", REF) == "2", "the same said again is no commit"
    later = a_claim("agent-2", at=NOON + timedelta(hours=9))
    await issues.show_claim(later)
    await issues.hide_claim(a_claim())
    assert "agent-2" in written(bare, "1/claim.md")
    await issues.hide_claim(later)
    assert written(bare, "1/claim.md") == "Nobody works on this."


async def test_the_report_of_a_run_stands_beside_its_issue_once_for_each_branch(
    issues: FolderIssues, root: Path, bare: Git, tmp_path: Path
):
    await issues.create_issue("acme/shop", title="cart")
    commit = a_commit(root, tmp_path)
    hosting = FolderHosting(root, secret="s", tags=("t",))
    run = a_run(commit, issue=1)
    opened = Announcement(run=run.id, attempt=1, hosting="folder")
    told = await hosting.announce(opened, a_telling(run, Status.RUNNING, "at work"))
    await hosting.announce(told, a_telling(run, Status.ENDED, "the report"))
    later = replace(run, id="shop-later", requested_at=NOON + timedelta(hours=1))
    await hosting.announce(opened, a_telling(later, Status.ENDED, "the later report"))
    await hosting.announce(opened, a_telling(run, Status.ENDED, "the report, once more"))
    (file,) = [name for name in bare("ls-tree", "-r", "--name-only", REF).split("\n") if "/run-" in name]
    assert file.startswith("1/run-1-cart-")
    assert written(bare, file).splitlines()[1:] == ["the later report"]
    unknown = a_run(commit, issue=99)
    assert (await hosting.announce(opened, a_telling(unknown, Status.ENDED, "report"))).final


def a_commit(root: Path, tmp_path: Path) -> str:
    git_in(tmp_path)("clone", "--quiet", str(root / "acme" / "shop.git"), "code")
    git = git_in(tmp_path / "code")
    git("commit", "--quiet", "--allow-empty", "-m", "First")
    git("push", "--quiet", "origin", "HEAD:main")
    return git("rev-parse", "HEAD")


def a_run(commit: str, *, issue: int) -> Run:
    return Run(
        id="shop-k3v9qd",
        repository="acme/shop",
        source=Source(location="acme/shop", ref="t", commit=commit, branch="1-cart"),
        principal="ada",
        requested_at=NOON,
        trigger=Trigger(cause=Cause.TAG, hosting="folder", tag="t", issue=issue),
    )


def a_telling(run: Run, state: Status, body: str) -> Telling:
    verdict = Verdict.PASSED if state is Status.ENDED else None
    return Telling(run=run, state=state, verdict=verdict, title=body, summary="", body=body)


async def test_no_hook_of_the_repository_is_run(issues: FolderIssues, root: Path, bare: Git, tmp_path: Path):
    for name in ("reference-transaction", "post-receive", "update"):
        hook = root / "acme" / "shop.git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        hook.chmod(0o755)
    await issues.create_issue("acme/shop", title="first")
    assert not (tmp_path / "ran").exists()
    bare("update-ref", "refs/heads/x", REF)
    assert (tmp_path / "ran").exists(), "the hook would have shown itself"
