"""A folder of bare repositories as a forge: real git, real pushes, the real hook."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conductor.adapters.folder.hosting import FolderHosting
from conductor.domain.delivery import Announcement, Delivery, Nothing, Placed, TagPushed
from conductor.domain.run import Run, Source, Status
from conductor.domain.telling import Telling
from conductor.errors import ConflictError, NotFoundError
from conductor.operations import hook

SECRET = "It's a Secret to Everybody"
TAGS = ("run-integration-tests", "run-integration-tests-*")
NOW = datetime(2026, 11, 23, tzinfo=UTC)
CONDUCTOR = [sys.executable, "-m", "conductor.cli.main"]
QUIET = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "USER": "ada",
    "LOGNAME": "ada",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}
LONGEST_FILE = 200
"""Git keeps a ref as a file: names longer than a file system takes cannot be pushed."""
Git = Callable[..., str]


def git_in(folder: Path) -> Git:
    def run(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env=QUIET, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout.strip() if arguments[0] != "push" else done.stderr

    return run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repositories"
    (root / "acme").mkdir(parents=True)
    git_in(root)("init", "--quiet", "--bare", "--initial-branch=main", "acme/shop.git")
    return root


@pytest.fixture
def git(root: Path, tmp_path: Path) -> Git:
    """A clone with one commit on main, pushed."""
    git_in(tmp_path)("clone", "--quiet", str(root / "acme" / "shop.git"), "work")
    git = git_in(tmp_path / "work")
    git("switch", "--quiet", "--create", "main")
    git("commit", "--quiet", "--allow-empty", "-m", "First")
    git("push", "--quiet", "origin", "main")
    return git


@pytest.fixture
def hosting(root: Path) -> FolderHosting:
    return FolderHosting(root, secret=SECRET, tags=TAGS)


class Taken(ThreadingHTTPServer):
    """A server that keeps what is posted to it, with its headers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keep)
        self.kept: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Keep(BaseHTTPRequestHandler):
    server: Taken

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.kept.append(
            ({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}}, body)
        )
        self.send_response(202)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Taken]:
    with Taken() as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield server
        server.shutdown()
        serving.join(10)


def hooked(root: Path, tmp_path: Path, url: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    hook.install(
        root / "acme" / "shop.git", conductor=CONDUCTOR, server=url, secret_file=secret, name="acme/shop"
    )


def delivered(server: Taken) -> list[Delivery]:
    return [
        Delivery(
            id=headers["x-github-delivery"],
            hosting="folder",
            event=headers["x-github-event"],
            body=body,
            received_at=NOW,
        )
        for headers, body in server.kept
    ]


def delivery(event: str = "push", **payload: object) -> Delivery:
    return Delivery(id="1", hosting="folder", event=event, body=json.dumps(payload).encode(), received_at=NOW)


def pushed_tag(commit: str, tag: str = TAGS[0]) -> TagPushed:
    return TagPushed(repository="acme/shop", tag=tag, commit=commit, sender="ada")


def run_of(source: Source) -> Run:
    return Run(id="shop-aaaaaa", repository="acme/shop", source=source, principal="ada", requested_at=NOW)


async def placed(hosting: FolderHosting, commit: str, tag: str = TAGS[0]) -> Placed:
    return await hosting.place(pushed_tag(commit, tag))


def test_a_pushed_tag_is_told_of_once_signed_and_read_as_a_wish(
    root: Path, git: Git, hosting: FolderHosting, server: Taken, tmp_path: Path
):
    hooked(root, tmp_path, server.url)
    git("tag", "--annotate", "-m", "go", TAGS[0])
    said = git("push", "origin", TAGS[0], "main:refs/heads/other")
    assert "conductor: told of run-integration-tests" in said
    ((headers, body),) = server.kept
    assert headers["path"] == "/webhooks/folder"
    assert hosting.verify(body, headers["x-hub-signature-256"])
    assert (
        headers["x-hub-signature-256"]
        == "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    )
    (one,) = delivered(server)
    assert hosting.read(one) == TagPushed(
        repository="acme/shop", tag=TAGS[0], commit=git("rev-parse", "HEAD"), sender="ada"
    )


def test_each_delivery_has_an_id_of_its_own_and_a_deleted_tag_is_nothing(
    root: Path, git: Git, hosting: FolderHosting, server: Taken, tmp_path: Path
):
    hooked(root, tmp_path, server.url)
    git("tag", TAGS[0])
    git("push", "origin", TAGS[0])
    git("push", "--delete", "origin", TAGS[0])
    made, deleted = delivered(server)
    assert made.id != deleted.id
    assert isinstance(hosting.read(made), TagPushed)
    assert "deleted" in _why(hosting.read(deleted))


def test_a_push_succeeds_where_no_server_is_and_the_tag_is_found_by_looking(
    root: Path, git: Git, hosting: FolderHosting, tmp_path: Path
):
    hooked(root, tmp_path, "http://127.0.0.1:9")
    git("tag", TAGS[0])
    assert "the tag is pushed all the same" in git("push", "origin", TAGS[0])
    tags = asyncio.run(hosting.tags("acme/shop", TAGS))
    assert [(tag.name, tag.commit) for tag in tags] == [(TAGS[0], git("rev-parse", "HEAD"))]


def test_a_push_succeeds_where_the_secret_or_conductor_itself_is_gone(root: Path, git: Git, tmp_path: Path):
    hooked(root, tmp_path, "http://127.0.0.1:9")
    (tmp_path / "secret").unlink()
    git("tag", TAGS[0])
    assert "cannot be read" in git("push", "origin", TAGS[0])
    file = root / "acme" / "shop.git" / "hooks" / "post-receive"
    file.write_text(file.read_text().replace(sys.executable, "/nonexistent/conductor"))
    git("push", "--delete", "origin", TAGS[0])
    assert "Conductor was not told of this push" in git("push", "origin", TAGS[0])


def test_hostile_names_of_tags_are_data(
    root: Path, git: Git, hosting: FolderHosting, server: Taken, tmp_path: Path
):
    given = os.environ.get("CONDUCTOR_CONTRACTS")
    if not given:
        pytest.skip("CONDUCTOR_CONTRACTS names no folder: the hostile names of tags are there")
    listed = json.loads((Path(given) / "security" / "tag-names.json").read_text())
    names = [f"run-integration-tests-{one['tag']}" for one in listed if one["valid_ref"]]
    names = [name for name in names if len(name) < LONGEST_FILE and _is_ref(git, name)]
    hooked(root, tmp_path, server.url)
    commit = git("rev-parse", "HEAD")
    for name in names:
        git("update-ref", f"refs/tags/{name}", commit)
    git("push", "--quiet", "origin", *(f"refs/tags/{name}" for name in names))
    wishes = [hosting.read(one) for one in delivered(server)]
    starts = [name for name in names if "/" not in name]
    assert {wish.tag for wish in wishes if isinstance(wish, TagPushed)} >= set(starts)
    assert len(starts) > 20
    for wish in wishes:
        assert isinstance(wish, TagPushed)
        one = asyncio.run(hosting.place(wish))
        assert (one.source.ref, one.source.commit, one.source.branch) == (wish.tag, commit, "main")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["repositories", "secret", "work"]


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"repository": 7, "ref": "refs/tags/x", "after": "a" * 40},
        {"repository": "acme/shop", "ref": f"refs/tags/{TAGS[0]}", "after": "HEAD", "commit": "HEAD"},
        {
            "repository": "acme/shop",
            "ref": f"refs/tags/{TAGS[0]}",
            "after": "a" * 40,
            "commit": "--upload-pack=x",
        },
        {
            "repository": "acme/shop",
            "ref": f"refs/tags/{TAGS[1][:-1]}\udcff",
            "after": "a" * 40,
            "commit": "a" * 40,
        },
        {"repository": "acme/shop", "ref": "refs/tags/v1", "after": "a" * 40, "commit": "a" * 40},
        {"repository": "acme/shop", "ref": "refs/heads/run-integration-tests", "after": "a" * 40},
    ],
    ids=str,
)
def test_what_is_no_trigger_tag_starts_nothing(hosting: FolderHosting, payload: dict[str, object]):
    assert _why(hosting.read(delivery(**payload)))
    assert _why(hosting.read(delivery(event="ping")))


@pytest.mark.parametrize(
    "name", ["../acme/shop", "acme/../acme/shop", "/acme/shop", "", "acme//shop", "link", "a\0b"]
)
def test_no_name_leads_out_of_the_folder(root: Path, tmp_path: Path, hosting: FolderHosting, name: str):
    git_in(tmp_path)("init", "--quiet", "--bare", "outside.git")
    (root / "link.git").symlink_to(tmp_path / "outside.git")
    with pytest.raises(NotFoundError):
        asyncio.run(hosting.tags(name, TAGS))


def test_a_signature_of_another_secret_and_none_at_all_are_refused(root: Path):
    hosting = FolderHosting(root, secret=SECRET, tags=TAGS)
    assert not hosting.verify(b"{}", "sha256=" + hmac.new(b"another", b"{}", hashlib.sha256).hexdigest())
    assert not hosting.verify(b"{}", "")
    unset = FolderHosting(root, secret="", tags=TAGS)
    assert not unset.verify(b"{}", "sha256=" + hmac.new(b"", b"{}", hashlib.sha256).hexdigest())


async def test_the_branch_is_the_one_whose_head_it_is_else_the_tags_name(hosting: FolderHosting, git: Git):
    first = git("rev-parse", "HEAD")
    git("switch", "--quiet", "--create", "issue-12-cart")
    git("commit", "--quiet", "--allow-empty", "-m", "Cart")
    git("push", "--quiet", "origin", "issue-12-cart")
    one = await placed(hosting, git("rev-parse", "HEAD"))
    assert (one.source.branch, one.trigger.issue) == ("issue-12-cart", 12)
    git("switch", "--quiet", "main")
    git("commit", "--quiet", "--allow-empty", "-m", "Second")
    git("push", "--quiet", "origin", "main")
    assert (await placed(hosting, first)).source.branch == TAGS[0]


async def test_the_issue_is_the_tags_before_the_commits(hosting: FolderHosting, git: Git):
    git("commit", "--quiet", "--allow-empty", "-m", "Second\n\nFixes #4")
    git("tag", "--annotate", "-m", "Issue: #3", TAGS[0])
    git("push", "--quiet", "origin", "main", TAGS[0])
    commit = git("rev-parse", "HEAD")
    assert (await placed(hosting, commit)).trigger.issue == 3
    assert (await placed(hosting, commit, f"{TAGS[0]}-2")).trigger.issue == 4


async def test_a_commit_that_was_never_pushed_is_not_placed(hosting: FolderHosting, git: Git):
    with pytest.raises(NotFoundError, match="has no commit"):
        await placed(hosting, "a" * 40)


async def test_where_the_tag_stands_now_wins_then_the_branch_then_ancestry(hosting: FolderHosting, git: Git):
    commits = [git("rev-parse", "HEAD")]
    for message in ("Second", "Third"):
        git("commit", "--quiet", "--allow-empty", "-m", message)
        commits.append(git("rev-parse", "HEAD"))
    git("push", "--quiet", "origin", "main")
    old, middle, new = (Source(location="x", ref=TAGS[0], commit=one, branch="main") for one in commits)
    assert await hosting.order("acme/shop", run_of(new), run_of(middle)) == "newer"
    assert await hosting.order("acme/shop", run_of(middle), run_of(new)) == "older"
    assert await hosting.order("acme/shop", run_of(middle), run_of(old)) == "newer"
    assert await hosting.order("acme/shop", run_of(old), run_of(middle)) == "older"
    assert await hosting.order("acme/shop", run_of(old), run_of(old)) == "same"
    git("tag", TAGS[0], commits[0])
    git("push", "--quiet", "origin", TAGS[0])  # moved back on purpose
    assert await hosting.order("acme/shop", run_of(old), run_of(new)) == "newer"
    gone = Source(location="x", ref="t", commit="a" * 40, branch="elsewhere")
    assert await hosting.order("acme/shop", run_of(gone), run_of(middle)) == "unknown"


async def test_repositories_are_named_by_their_path(root: Path, hosting: FolderHosting):
    git_in(root)("init", "--quiet", "--bare", "tools.git")
    (root / "no-repository").mkdir()
    assert await hosting.repositories() == ["acme/shop", "tools"]
    assert not await hosting.may_write("acme/shop", "ada")
    assert await hosting.lost(since=NOW) == ()


def telling(
    commit: str, *, attempt: int = 1, state: Status = Status.ENDED, body: str = "# PASSED"
) -> Telling:
    run = replace(run_of(Source(location="x", commit=commit)), attempt=attempt)
    return Telling(run=run, state=state, title="running: tests", summary="", body=body)


OPENED = Announcement(run="shop-aaaaaa", attempt=1, hosting="folder")


async def test_the_report_is_a_note_that_whoever_has_the_repository_reads(hosting: FolderHosting, git: Git):
    commit = git("rev-parse", "HEAD")
    at_work = await hosting.announce(OPENED, telling(commit, state=Status.RUNNING))
    assert not at_work.final
    ended = await hosting.announce(at_work, telling(commit, body="# PASSED\n\n`$(id)`"))
    assert (ended.final, ended.told) == (True, telling(commit, body="# PASSED\n\n`$(id)`").fingerprint)
    git("fetch", "--quiet", "origin", "refs/notes/conductor:refs/notes/conductor")
    note = git("notes", "--ref=conductor", "show", commit)
    assert note == "conductor: run shop-aaaaaa, attempt 1\n\n# PASSED\n\n`$(id)`"


async def test_what_was_told_is_told_once_and_a_late_word_of_an_earlier_attempt_changes_nothing(
    hosting: FolderHosting, git: Git, root: Path
):
    commit = git("rev-parse", "HEAD")
    bare = git_in(root / "acme" / "shop.git")
    await hosting.announce(OPENED, telling(commit, attempt=2, body="# FAILED"))
    head = bare("rev-parse", "refs/notes/conductor")
    again = await hosting.announce(OPENED, telling(commit, attempt=2, body="# FAILED"))
    late = await hosting.announce(OPENED, telling(commit, attempt=1, body="# PASSED"))
    assert again.final
    assert late.final
    assert bare("rev-parse", "refs/notes/conductor") == head


async def test_a_report_on_a_commit_that_has_gone_is_not_told_for_ever(hosting: FolderHosting, git: Git):
    told = await hosting.announce(OPENED, telling("a" * 40))
    assert told.final
    assert "not in the repository" in told.error


def test_a_hook_of_somebody_else_stays(root: Path, tmp_path: Path):
    file = root / "acme" / "shop.git" / "hooks" / "post-receive"
    file.parent.mkdir(exist_ok=True)
    file.write_text("#!/bin/sh\necho mine\n")
    with pytest.raises(ConflictError, match="not Conductor's"):
        hooked(root, tmp_path, "http://127.0.0.1:9")
    assert "mine" in file.read_text()
    file.unlink()
    hooked(root, tmp_path, "http://127.0.0.1:9")
    hooked(root, tmp_path, "http://127.0.0.1:10")
    assert "127.0.0.1:10" in file.read_text()


def _why(wish: object) -> str:
    assert isinstance(wish, Nothing)
    return wish.why


def _is_ref(git: Git, name: str) -> bool:
    try:
        git("check-ref-format", f"refs/tags/{name}")
    except (subprocess.CalledProcessError, ValueError):
        return False
    return True
