"""The forge's contract, over real repositories on this machine."""

import asyncio
import json
import os
import stat
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from conductor.adapters.folder import FolderForge, Limits
from conductor.domain.run import Source
from conductor.errors import NotFoundError, RefusedError, RunError, UnreachableError, UsageError

Git = Callable[..., str]
QUIET = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


def git_in(folder: Path) -> Git:
    def run(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *arguments],
            cwd=folder,
            env=QUIET,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    return run


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A repository with one commit on main."""
    folder = tmp_path / "shop"
    folder.mkdir()
    git = git_in(folder)
    git("init", "--quiet", "--initial-branch=main")
    (folder / "README.md").write_text("shop\n")
    (folder / ".gitignore").write_text("ignored\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("README.md")
    (folder / "sub").mkdir()
    (folder / "sub" / "file").write_text("sub\n")
    git("add", "-A")
    git("commit", "--quiet", "-m", "First")
    return folder


@pytest.fixture
def git(shop: Path) -> Git:
    return git_in(shop)


@pytest.fixture
def forge() -> FolderForge:
    return FolderForge()


def commit(shop: Path, message: str = "Next", **files: str) -> str:
    for name, text in (files or {"README.md": message}).items():
        (shop / name).write_text(text)
    git = git_in(shop)
    git("add", "-A")
    git("commit", "--quiet", "-m", message)
    return git("rev-parse", "HEAD")


def tree_of(folder: Path) -> dict[str, str]:
    """Every file with its content, every link with where it leads."""
    return {
        path.relative_to(folder).as_posix(): f"-> {path.readlink()}"
        if path.is_symlink()
        else path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


async def cloned(forge: FolderForge, source: Source, tmp_path: Path) -> Path:
    destination = tmp_path / "runs" / "checkout"
    await forge.clone(source, destination)
    return destination


# --- what was asked for


async def test_a_folder_is_its_working_tree(shop: Path, git: Git, forge: FolderForge):
    head = git("rev-parse", "HEAD")
    assert await forge.resolve(str(shop), None) == Source(location=str(shop), commit=head, branch="main")
    assert await forge.resolve(f"file://{shop}", None) == Source(
        location=str(shop), commit=head, branch="main"
    )


@pytest.mark.parametrize("change", ["README.md", "new file", "sub/new"])
async def test_a_working_tree_with_changes_is_dirty(shop: Path, forge: FolderForge, change: str):
    (shop / change).write_text("changed")
    assert (await forge.resolve(str(shop), None)).dirty


@pytest.mark.parametrize("plain", [True, False])
async def test_the_fingerprint_of_a_working_tree_is_that_of_its_content(
    shop: Path, forge: FolderForge, *, plain: bool
):
    if plain:
        (shop / ".git").rename(shop.parent / "elsewhere")
    (shop / "new").write_text("one")
    seen = [(await forge.resolve(str(shop), None)).tree]
    os.utime(shop / "new", (0, 0))
    assert (await forge.resolve(str(shop), None)).tree == seen[0]

    def rewritten() -> None:
        (shop / "new").write_text("two")

    def made_executable() -> None:
        (shop / "new").chmod(0o755)

    def made_a_link() -> None:
        (shop / "new").unlink()
        (shop / "new").symlink_to("README.md")

    def renamed() -> None:
        (shop / "new").rename(shop / "newer")

    for change in (rewritten, made_executable, made_a_link, renamed, (shop / "README.md").unlink):
        change()
        seen.append((await forge.resolve(str(shop), None)).tree)
    assert len(set(seen)) == len(seen)


async def test_a_clean_working_tree_and_a_commit_need_no_fingerprint(shop: Path, forge: FolderForge):
    assert [(await forge.resolve(str(shop), ref)).tree for ref in (None, "main")] == ["", ""]


async def test_what_is_ignored_makes_nothing_dirty(shop: Path, forge: FolderForge):
    (shop / "ignored").write_text("x")
    assert not (await forge.resolve(str(shop), None)).dirty


async def test_a_detached_working_tree_is_on_the_branch_whose_head_it_is(
    shop: Path, git: Git, forge: FolderForge
):
    git("checkout", "--quiet", "--detach")
    assert (await forge.resolve(str(shop), None)).branch == "main"
    commit(shop)
    assert (await forge.resolve(str(shop), None)).branch is None


async def test_a_repository_without_commits_is_a_dirty_working_tree(tmp_path: Path, forge: FolderForge):
    git_in(tmp_path)("init", "--quiet", "--initial-branch=trunk")
    source = await forge.resolve(str(tmp_path), None)
    assert (source.commit, source.branch, source.dirty) == (None, "trunk", True)
    assert source.tree


async def test_a_folder_without_git_has_no_commit(tmp_path: Path, forge: FolderForge):
    source = await forge.resolve(str(tmp_path), None)
    assert (source.commit, source.branch, source.dirty) == (None, None, False)
    with pytest.raises(NotFoundError, match="no git repository"):
        await forge.resolve(str(tmp_path), "v1")


async def test_a_part_of_a_repository_is_a_source_of_its_own(shop: Path, forge: FolderForge, tmp_path: Path):
    part = shop / "sub"
    (shop / "README.md").write_text("changed")
    source = await forge.resolve(str(part), None)
    assert (source.dirty, source.branch) == (False, "main")
    assert tree_of(await cloned(forge, source, tmp_path)) == {"file": "sub\n"}
    assert tree_of(await cloned(forge, await forge.resolve(str(part), "main"), tmp_path)) == {"file": "sub\n"}
    assert (await forge.trusted_file(source, "file")).text == "sub\n"
    assert (await forge.trusted_file(source, "README.md")).text is None


async def test_a_folder_that_the_repository_around_it_ignores_is_a_plain_one(
    shop: Path, forge: FolderForge, tmp_path: Path
):
    (shop / "ignored").mkdir()
    (shop / "ignored" / "file").write_text("mine")
    source = await forge.resolve(str(shop / "ignored"), None)
    assert source.commit is None
    assert tree_of(await cloned(forge, source, tmp_path)) == {"file": "mine"}


async def test_names_are_found_as_tag_branch_and_commit(shop: Path, git: Git, forge: FolderForge):
    first = git("rev-parse", "HEAD")
    git("tag", "v1")
    git("tag", "-a", "v2", "-m", "Annotated")
    git("branch", "feature/a")
    second = commit(shop)
    expected = {
        "v1": (first, "feature/a"),
        "v2": (first, "feature/a"),
        "refs/tags/v2": (first, "feature/a"),
        "feature/a": (first, "feature/a"),
        "main": (second, "main"),
        "refs/heads/main": (second, "main"),
        "HEAD": (second, "main"),
        second: (second, "main"),
        first[:7]: (first, "feature/a"),
        first.upper(): (first, "feature/a"),
    }
    for ref, (at, branch) in expected.items():
        source = await forge.resolve(str(shop), ref)
        assert source == Source(location=str(shop), ref=ref, commit=at, branch=branch)


async def test_a_tag_that_no_branch_stands_at_gives_its_own_name_and_a_commit_none(
    shop: Path, git: Git, forge: FolderForge
):
    git("tag", "v1")
    first = git("rev-parse", "HEAD")
    commit(shop)
    assert (await forge.resolve(str(shop), "v1")).branch == "v1"
    assert (await forge.resolve(str(shop), first)).branch is None


async def test_a_tag_is_meant_before_a_branch_of_the_same_name(shop: Path, git: Git, forge: FolderForge):
    git("tag", "same")
    first = git("rev-parse", "HEAD")
    commit(shop)
    git("branch", "same")
    assert (await forge.resolve(str(shop), "same")).commit == first


async def test_a_name_that_is_not_there_says_which_was_meant(shop: Path, git: Git, forge: FolderForge):
    git("tag", "run-integration-tests-12")
    with pytest.raises(NotFoundError, match="run-integration-test-12") as caught:
        await forge.resolve(str(shop), "run-integration-test-12")
    assert caught.value.remedy == "Did you mean run-integration-tests-12?"


@pytest.mark.parametrize(
    "ref", ["", "deadbeef", "d" * 40, "main~1", "main:README.md", "--all", "-", "@{-1}", "a b", "\n", "*"]
)
async def test_what_names_nothing_is_not_found(shop: Path, git: Git, forge: FolderForge, ref: str):
    commit(shop)
    with pytest.raises(NotFoundError):
        await forge.resolve(str(shop), ref)


async def test_a_bare_repository_without_a_ref_is_its_default_branch(
    shop: Path, git: Git, forge: FolderForge, tmp_path: Path
):
    git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
    source = await forge.resolve(str(tmp_path / "bare.git"), None)
    assert (source.ref, source.commit, source.branch) == ("main", git("rev-parse", "HEAD"), "main")
    assert "README.md" in tree_of(await cloned(forge, source, tmp_path))


async def test_a_linked_worktree_is_a_repository(shop: Path, git: Git, forge: FolderForge, tmp_path: Path):
    git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    source = await forge.resolve(str(tmp_path / "side"), None)
    assert (source.branch, source.dirty) == ("side", False)
    by_commit = await forge.resolve(str(tmp_path / "side"), "side")
    assert tree_of(await cloned(forge, by_commit, tmp_path)) == tree_of(await cloned(forge, source, tmp_path))


@pytest.mark.parametrize(
    "location",
    [
        "ssh://git@example.com/a",
        "git@example.com:a/b.git",
        "http://example.com/a",
        "ext::sh -c id",
        "git://x/y",
        "host:a",
    ],
)
async def test_other_ways_than_https_and_folders_are_refused(forge: FolderForge, location: str):
    with pytest.raises(RefusedError, match="https or from a folder"):
        await forge.resolve(location, None)


async def test_an_address_with_credentials_is_refused_and_not_shown(forge: FolderForge):
    with pytest.raises(RefusedError) as caught:
        await forge.resolve("https://ada:hunter2@example.com/shop", None)
    assert "hunter2" not in f"{caught.value}{caught.value.remedy}"


@pytest.mark.parametrize(
    "location",
    ["/no/such/folder", "", "https://", "https://a b/c", "file:///no/such", "nul\x00", "README.md"],
)
async def test_a_place_that_is_not_there_is_not_found(forge: FolderForge, location: str):
    with pytest.raises(NotFoundError):
        await forge.resolve(location or "/no/such", None)


async def test_a_machine_without_git_is_told_to_install_it(
    shop: Path, forge: FolderForge, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="git is not installed") as caught:
        await forge.resolve(str(shop), None)
    assert "Install git" in caught.value.remedy


async def test_a_git_that_hangs_is_ended_and_may_be_tried_again(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shim = tmp_path / "bin" / "git"
    shim.parent.mkdir()
    shim.write_text(f"#!/bin/sh\necho $$ >> {tmp_path}/started\nexec sleep 600\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
    with pytest.raises(UnreachableError, match="no answer") as caught:
        await FolderForge(timeout=timedelta(seconds=1)).resolve(str(shop), None)
    assert caught.value.retryable
    for started in (tmp_path / "started").read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(started), 0)


# --- what is cloned


async def test_a_working_tree_is_copied_as_it_lies_there(
    shop: Path, git: Git, forge: FolderForge, tmp_path: Path
):
    (shop / "README.md").write_text("changed")
    (shop / "new").write_text("new")
    (shop / "ignored").write_text("secret")
    (shop / "sub" / "file").unlink()
    copied = await cloned(forge, await forge.resolve(str(shop), None), tmp_path)
    assert tree_of(copied) == {
        ".gitignore": "ignored\n",
        "README.md": "changed",
        "link": "-> README.md",
        "new": "new",
        "run.sh": "#!/bin/sh\n",
    }
    assert os.access(copied / "run.sh", os.X_OK)
    assert not os.access(copied / "new", os.X_OK)


async def test_a_commit_is_cloned_whatever_the_working_tree_is_like(
    shop: Path, git: Git, forge: FolderForge, tmp_path: Path
):
    (shop / "README.md").write_text("changed")
    (shop / "new").write_text("new")
    copied = await cloned(forge, await forge.resolve(str(shop), "main"), tmp_path)
    committed = {
        ".gitignore": "ignored\n",
        "README.md": "shop\n",
        "link": "-> README.md",
        "run.sh": "#!/bin/sh\n",
    }
    assert tree_of(copied) == {**committed, "sub/file": "sub\n"}
    assert os.access(copied / "run.sh", os.X_OK)
    assert [path.name for path in copied.parent.iterdir()] == ["checkout"]


async def test_a_tag_that_moved_takes_nothing_from_the_older_run(
    shop: Path, git: Git, forge: FolderForge, tmp_path: Path
):
    git("tag", "t")
    source = await forge.resolve(str(shop), "t")
    commit(shop, "Second")
    git("tag", "--force", "t")
    assert tree_of(await cloned(forge, source, tmp_path))["README.md"] == "shop\n"


async def test_cloning_again_starts_over(shop: Path, forge: FolderForge, tmp_path: Path):
    source = await forge.resolve(str(shop), "main")
    first = tree_of(await cloned(forge, source, tmp_path))
    (tmp_path / "runs" / "checkout" / "left").write_text("over")
    (tmp_path / "runs" / ".clone-checkout-killed").mkdir()
    again = await cloned(forge, source, tmp_path)
    assert tree_of(again) == first
    assert [path.name for path in again.parent.iterdir()] == ["checkout"]


async def test_a_folder_without_git_is_copied_but_for_what_is_gits(tmp_path: Path, forge: FolderForge):
    folder = tmp_path / "plain"
    for name in ("a/b", "node_modules/x", ".git/config", "nested/.git/config", "nested/file"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "folder-link").symlink_to("a")
    (folder / "dangling").symlink_to("/nowhere/at/all")
    os.mkfifo(folder / "pipe")
    (folder / ".git" / "config").write_text("not git at all")
    copied = await cloned(forge, Source(location=str(folder)), tmp_path)
    assert tree_of(copied) == {
        "a/b": "a/b",
        "dangling": "-> /nowhere/at/all",
        "folder-link": "-> a",
        "nested/file": "nested/file",
        "node_modules/x": "node_modules/x",
    }


async def test_the_right_to_become_another_user_is_not_copied(shop: Path, forge: FolderForge, tmp_path: Path):
    (shop / "run.sh").chmod(0o6755)
    copied = await cloned(forge, Source(location=str(shop)), tmp_path)
    assert stat.S_IMODE((copied / "run.sh").stat().st_mode) == 0o755


@pytest.mark.parametrize("limits", [Limits(files=3), Limits(total_bytes=20)])
async def test_a_working_tree_that_is_too_large_says_what_to_do(shop: Path, tmp_path: Path, limits: Limits):
    with pytest.raises(RunError) as caught:
        await cloned(FolderForge(limits=limits), Source(location=str(shop)), tmp_path)
    assert (caught.value.reason, caught.value.fault) == ("CloneFailed", "repository")
    assert ".gitignore" in caught.value.remedy


async def test_a_commit_that_is_gone_breaks_the_run(shop: Path, forge: FolderForge, tmp_path: Path):
    with pytest.raises(RunError) as caught:
        await cloned(forge, Source(location=str(shop), ref="d" * 40, commit="d" * 40), tmp_path)
    assert (caught.value.reason, caught.value.fault) == ("CloneFailed", "platform")


# --- what is trusted, and what was said


async def test_the_trusted_file_is_the_one_of_the_default_branch(shop: Path, git: Git, forge: FolderForge):
    commit(shop, **{".conductor.yaml": "version: 1\n"})
    git("checkout", "--quiet", "-b", "agent")
    commit(shop, **{".conductor.yaml": "version: 1\nsecrets: [ALL]\n"})
    for ref in (None, "agent"):
        found = await forge.trusted_file(await forge.resolve(str(shop), ref), ".conductor.yaml")
        assert (found.branch, found.text) == ("main", "version: 1\n")


async def test_the_default_branch_is_the_one_that_origin_names(
    shop: Path, git: Git, forge: FolderForge, tmp_path: Path
):
    git("checkout", "--quiet", "-b", "trunk")
    commit(shop, file="trunk's")
    git("clone", "--quiet", ".", str(tmp_path / "clone"))
    commit(tmp_path / "clone", file="mine")
    git_in(tmp_path / "clone")("branch", "main")
    found = await forge.trusted_file(Source(location=str(tmp_path / "clone")), "file")
    assert (found.branch, found.text) == ("trunk", "trunk's")


async def test_a_trusted_file_that_is_not_there_has_no_text(shop: Path, git: Git, forge: FolderForge):
    source = await forge.resolve(str(shop), None)
    for name in (".conductor.yaml", "link", "sub", "*", ":/", "../x"):
        assert (await forge.trusted_file(source, name)).text is None
    assert (await forge.trusted_file(source, name)).branch == "main"


async def test_without_git_the_folders_own_file_is_trusted(tmp_path: Path, forge: FolderForge):
    (tmp_path / ".conductor.yaml").write_text("version: 1\n")
    found = await forge.trusted_file(Source(location=str(tmp_path)), ".conductor.yaml")
    assert (found.branch, found.text) == ("", "version: 1\n")


async def test_messages_of_tag_and_commit_are_read(shop: Path, git: Git, forge: FolderForge):
    commit(shop, "Mend the cart\n\nFixes #12")
    git("tag", "-a", "t", "-m", "Again\n\nIssue: #12 ünïcödé")
    git("tag", "light")
    assert await forge.commits_message(await forge.resolve(str(shop), "t")) == [
        "Again\n\nIssue: #12 ünïcödé",
        "Mend the cart\n\nFixes #12",
    ]
    for ref in ("light", "main", None):
        assert await forge.commits_message(await forge.resolve(str(shop), ref)) == [
            "Mend the cart\n\nFixes #12"
        ]
    assert await forge.commits_message(Source(location=str(shop))) == []


async def test_a_file_comes_along_when_it_is_copied_with_the_working_tree(
    shop: Path, forge: FolderForge, tmp_path: Path
):
    for name in ("ignored", "untracked"):
        (shop / name).write_text("x")
    carried = [
        name for name in ("ignored", "untracked", "README.md") if await forge.carries(str(shop), shop / name)
    ]
    assert carried == ["untracked", "README.md"]
    assert not await forge.carries(str(shop), tmp_path / "outside")
    assert not await forge.carries("https://example.com/shop", shop / "README.md")
    assert await forge.carries(str(tmp_path), tmp_path / "outside")


# --- hostile repositories


def tag_names() -> list[str]:
    contracts = os.environ.get("CONDUCTOR_CONTRACTS")
    own = [
        "--upload-pack=touch${IFS}pwned;",
        "-v",
        "--",
        "v1;id",
        "v1$(touch${IFS}pwned)",
        "ünïcödé",
        "HEAD",
        "@",
    ]
    if not contracts:
        return own
    listed = json.loads(Path(contracts, "security", "tag-names.json").read_text())
    return own + [one["tag"] for one in listed if one["valid_ref"]]


def could_tag(shop: Path, name: str, at: str) -> bool:
    """Tell whether git takes the name beside those that are there."""
    command = ["git", "update-ref", f"refs/tags/{name}", at]
    return subprocess.run(command, cwd=shop, env=QUIET, capture_output=True, check=False).returncode == 0


def found(folder: Path, name: str) -> list[Path]:
    return list(folder.rglob(name))


async def test_a_tag_is_only_data_whatever_it_is_called(
    shop: Path, git: Git, forge: FolderForge, tmp_path: Path
):
    expected = git("rev-parse", "HEAD")
    made = [name for name in dict.fromkeys(tag_names()) if could_tag(shop, name, expected)]
    assert len(made) >= 8
    later = commit(shop)
    for name in made:
        ref = name if name not in ("HEAD", "refs/heads/main") else f"refs/tags/{name}"
        source = await forge.resolve(str(shop), ref)
        assert (source.commit, source.branch) == (expected, name), name
        assert await forge.commits_message(source) == ["First"]
    for name in made[:8]:
        source = await forge.resolve(str(shop), f"refs/tags/{name}")
        assert tree_of(await cloned(forge, source, tmp_path))["README.md"] == "shop\n"
    assert later != expected
    assert found(tmp_path, "pwned") == []


async def test_a_tag_that_must_be_fetched_by_name_is_only_data(
    shop: Path, git: Git, forge: FolderForge, tmp_path: Path
):
    name = "--upload-pack=touch${IFS}pwned;"
    commit(shop)
    git("update-ref", f"refs/tags/{name}", "HEAD")
    git("config", "uploadpack.allowAnySHA1InWant", "false")
    git("config", "protocol.version", "0")
    source = await forge.resolve(str(shop), name)
    assert "README.md" in tree_of(await cloned(forge, source, tmp_path))
    assert found(tmp_path, "pwned") == []


@pytest.fixture
def trap(shop: Path, git: Git, tmp_path: Path) -> Path:
    """A repository whose configuration runs a program at every chance; the file is there once one has run."""
    sprung = tmp_path / "sprung"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {sprung}\ncat\n")
    program.chmod(0o755)
    (shop / ".gitattributes").write_text("*.md filter=evil diff=evil\n")
    commit(shop, "Attributes")
    for hook in (
        "post-checkout",
        "post-index-change",
        "reference-transaction",
        "pre-auto-gc",
        "fsmonitor-watchman",
    ):
        (shop / ".git" / "hooks" / hook).parent.mkdir(exist_ok=True)
        (shop / ".git" / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {sprung}\n")
        (shop / ".git" / "hooks" / hook).chmod(0o755)
    settings = {
        "core.fsmonitor": str(program),
        "core.pager": str(program),
        "core.sshCommand": str(program),
        "core.alternateRefsCommand": str(program),
        "credential.helper": f"!{program}",
        "diff.external": str(program),
        "diff.evil.textconv": str(program),
        "diff.evil.command": str(program),
        "filter.evil.clean": str(program),
        "filter.evil.smudge": str(program),
        "filter.evil.process": str(program),
        "filter.evil.required": "true",
        "filter.a=b.clean": str(program),
        "gpg.program": str(program),
        "log.showSignature": "true",
        "uploadpack.packObjectsHook": str(program),
    }
    for key, value in settings.items():
        git("config", key, value)
    return sprung


async def test_nothing_that_a_repository_configures_is_run(
    shop: Path, git: Git, forge: FolderForge, tmp_path: Path, trap: Path
):
    (shop / "README.md").write_text("longer than it was")
    working = await forge.resolve(str(shop), None)
    assert working.dirty
    pinned = await forge.resolve(str(shop), "main")
    for source in (working, pinned):
        await cloned(forge, source, tmp_path)
        await forge.trusted_file(source, "README.md")
        await forge.commits_message(source)
    await forge.carries(str(shop), shop / "README.md")
    assert found(tmp_path, "sprung") == []
    (shop / "README.md").write_text("once more longer")
    git("-c", "core.fsmonitor=false", "status", "--short")
    assert found(tmp_path, "sprung") == [trap]


async def test_a_link_on_the_way_to_a_tracked_file_is_not_followed(
    shop: Path, git: Git, forge: FolderForge, tmp_path: Path
):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("precious")
    (shop / "sub" / "file").unlink()
    (shop / "sub").rmdir()
    (shop / "sub").symlink_to(tmp_path / "outside")
    copied = await cloned(forge, Source(location=str(shop)), tmp_path)
    assert "precious" not in "".join(tree_of(copied).values())
    assert tree_of(copied)["sub"] == f"-> {tmp_path / 'outside'}"


async def test_submodules_are_neither_fetched_nor_followed(
    shop: Path, git: Git, forge: FolderForge, tmp_path: Path
):
    git("submodule", "--quiet", "add", str(shop), "module")
    commit(shop, "Module")
    for ref in (None, "main"):
        copied = tree_of(await cloned(forge, await forge.resolve(str(shop), ref), tmp_path))
        assert not [name for name in copied if name.startswith("module/")]


async def test_a_repository_of_another_user_is_read_only_when_the_user_trusts_it(
    shop: Path, git: Git, forge: FolderForge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to another user")
    git("tag", "t")
    for path in (shop, shop / ".git"):
        os.chown(path, 12345, 12345)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with pytest.raises(UsageError, match="another user") as caught:
        await forge.resolve(str(shop), None)
    assert f"safe.directory {shop}" in caught.value.remedy
    (home / ".gitconfig").write_text(f"[safe]\n\tdirectory = {shop}\n")
    for ref in (None, "t"):
        source = await forge.resolve(str(shop), ref)
        assert "README.md" in tree_of(await cloned(forge, source, tmp_path))


async def test_several_clones_at_once_do_not_disturb_each_other(
    shop: Path, forge: FolderForge, tmp_path: Path
):
    source = await forge.resolve(str(shop), "main")
    await asyncio.gather(*(forge.clone(source, tmp_path / "all" / str(n)) for n in range(4)))
    trees = [tree_of(tmp_path / "all" / str(n)) for n in range(4)]
    assert trees == [trees[0]] * 4
