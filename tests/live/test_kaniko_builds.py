"""Kaniko builds on a real cluster: by commit and from a folder, pushed, pulled by digest; and what a build that fails says."""

from __future__ import annotations

import asyncio
import time

import pytest

from conductor.domain.stack import Build
from conductor.errors import ConductorError, RunError
from conductor.ports.builder import Remote
from tests.kubernetes.peers import GitPeer
from tests.live.kaniko_builds import SHOP, MakeWorkshop, Workshop, copy_shop

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
BASE = "busybox:1.36"


@pytest.fixture(params=["wide", "narrow"])
async def workshop(request: pytest.FixtureRequest, make_workshop: MakeWorkshop) -> Workshop:
    """A workshop with a registry of each kind: the account pushes everywhere, or to the repository's own path."""
    return await make_workshop(request.param)


async def test_the_shop_is_built_by_commit_and_runs_by_digest(
    workshop: Workshop, git_server: GitPeer, capsys: pytest.CaptureFixture[str]
):
    copy_shop(workshop.checkout)
    commit = git_server.push(workshop.checkout, workshop.repository)
    remote = Remote(url=git_server.url(workshop.repository), commit=commit)
    for name, (build, command, says) in SHOP.items():
        workshop.lines.clear()
        order = await workshop.order(build, name=name, remote=remote)
        made = await workshop.builder.build(order, on_line=workshop.on_line)

        assert made.digest == workshop.in_registry(order)
        image = workshop.pinned(made)
        assert workshop.run_pod(image, command, await workshop.registry.pull_credentials()).strip() == says
        assert any("COPY" in line for line in workshop.lines), "nothing was told of the build"
        assert not [line for line in workshop.lines if "% (" in line], "git's progress was told"
        with capsys.disabled():
            print(f"\n{name} by commit: {made.seconds:.1f} s")  # noqa: T201 -- a figure


async def test_a_commit_is_fetched_by_the_cluster_itself(workshop: Workshop, git_server: GitPeer):
    workshop.write("app/Dockerfile", f"FROM {BASE}\nCOPY . /app\nRUN ls -A /app | sed 's/^/has /'\n")
    workshop.write("app/only-in-the-commit", "")
    commit = git_server.push(workshop.checkout, workshop.repository)
    (workshop.checkout / "app" / "only-in-the-commit").unlink()
    remote = Remote(url=git_server.url(workshop.repository), commit=commit)
    order = await workshop.order(Build(context="app", dockerfile="app/Dockerfile"), remote=remote)
    await workshop.builder.build(order, on_line=workshop.on_line)
    told = [line for line in workshop.lines if line.startswith("has ")]
    assert told == ["has Dockerfile", "has only-in-the-commit"]
    assert not [line for line in workshop.lines if "% (" in line], "git's progress was told"


async def test_git_s_own_files_are_in_no_image(make_workshop: MakeWorkshop, git_server: GitPeer):
    workshop = await make_workshop("narrow")
    workshop.write(
        "Dockerfile", f"FROM {BASE}\nCOPY . /context\nRUN cd /context && ls -A | sed 's/^/has /'\n"
    )
    workshop.write("file", "")
    commit = git_server.push(workshop.checkout, workshop.repository)
    order = await workshop.order(
        Build(), remote=Remote(url=git_server.url(workshop.repository), commit=commit)
    )
    await workshop.builder.build(order, on_line=workshop.on_line)
    assert [line for line in workshop.lines if line.startswith("has ")] == ["has Dockerfile", "has file"]


async def test_the_shop_is_built_from_a_folder_that_no_commit_has(workshop: Workshop):
    copy_shop(workshop.checkout)
    for name, (build, command, says) in SHOP.items():
        order = await workshop.order(build, name=name)
        made = await workshop.builder.build(order, on_line=workshop.on_line)

        assert made.digest == workshop.in_registry(order)
        image = workshop.pinned(made)
        assert workshop.run_pod(image, command, await workshop.registry.pull_credentials()).strip() == says


async def test_what_is_unchanged_is_found_by_its_key(workshop: Workshop, capsys: pytest.CaptureFixture[str]):
    copy_shop(workshop.checkout)
    build, _, _ = SHOP["backend"]
    order = await workshop.order(build)
    assert await workshop.builder.find(order) is None
    made = await workshop.builder.build(order, on_line=workshop.on_line)
    jobs = [job["metadata"]["uid"] for job in workshop.jobs()]

    began = time.monotonic()
    again = await workshop.order(build)
    found = await workshop.builder.find(again)
    seconds = time.monotonic() - began

    assert found is not None
    assert (found.reference, found.digest) == (made.reference, made.digest)
    assert {job["metadata"]["uid"] for job in workshop.jobs()} <= set(jobs), "a Job was made"
    with capsys.disabled():
        print(f"\nfound by its key: {seconds:.3f} s")  # noqa: T201 -- a figure

    workshop.write("backend/server.js", "process.exit(1)\n")
    assert await workshop.builder.find(await workshop.order(build)) is None


async def test_two_orders_of_one_key_end_in_one_image(workshop: Workshop):
    workshop.write("Dockerfile", f"FROM {BASE}\nRUN sleep 3; date +%N >/made\n")
    orders = [await workshop.order(Build()) for _ in range(2)]
    first, second = await asyncio.gather(
        *(workshop.builder.build(order, on_line=workshop.on_line) for order in orders)
    )
    assert first.digest == second.digest == workshop.in_registry(orders[0])


async def test_a_failing_command_is_named_with_its_line_and_its_exit_code(workshop: Workshop):
    workshop.write(
        "docker/Dockerfile",
        f"FROM {BASE}\n\n# a comment\nRUN echo fine\nRUN echo compiling && \\\n    echo 'no such symbol' >&2; exit 42\n",
    )
    order = await workshop.order(Build(dockerfile="docker/Dockerfile"))
    with pytest.raises(RunError) as caught:
        await workshop.builder.build(order, on_line=workshop.on_line)
    assert (caught.value.reason, caught.value.fault) == ("BuildFailed", "repository")
    assert "docker/Dockerfile:5: RUN echo compiling &&" in caught.value.message
    assert "42" in caught.value.message.splitlines()[0]
    assert "no such symbol" in caught.value.message
    assert "no such symbol" in workshop.lines
    assert workshop.in_registry(order) is None


async def test_a_base_image_that_nobody_has_is_named(workshop: Workshop):
    nowhere = f"{workshop.registry.peer.host}/library/has-not-this"
    workshop.write("Dockerfile", f"FROM {nowhere}:9\nRUN true\n")
    with pytest.raises(RunError, match=r"library/has-not-this") as caught:
        await workshop.builder.build(await workshop.order(Build()), on_line=workshop.on_line)
    # Whoever is nobody there is not told whether it exists: then the account may be what is missing.
    fault = "repository" if workshop.registry.narrow else "platform"
    assert (caught.value.reason, caught.value.fault) == ("ImagePullBackOff", fault)


async def test_a_file_that_is_not_there_is_named(workshop: Workshop):
    workshop.write("Dockerfile", f"FROM {BASE}\nCOPY nowhere.txt /\n")
    with pytest.raises(RunError, match=r"nowhere\.txt") as caught:
        await workshop.builder.build(await workshop.order(Build()), on_line=workshop.on_line)
    assert (caught.value.reason, caught.value.fault) == ("BuildFailed", "repository")


async def test_a_password_that_is_wrong_is_the_platforms_fault_and_told_before_anything_is_built(
    make_workshop: MakeWorkshop,
):
    workshop = await make_workshop("wrong password")
    workshop.write("Dockerfile", f"FROM {BASE}\nRUN echo built >&2\n")
    with pytest.raises(ConductorError) as caught:
        await workshop.builder.build(await workshop.order(Build()), on_line=workshop.on_line)
    assert getattr(caught.value, "fault", "platform") == "platform"
    assert caught.value.remedy
    assert "wrong-password" not in str(caught.value) + caught.value.remedy + "\n".join(workshop.lines)


async def test_credentials_are_gone_after_a_build(make_workshop: MakeWorkshop):
    workshop = await make_workshop("narrow")
    workshop.write("Dockerfile", f"FROM {BASE}\nRUN exit 3\n")
    with pytest.raises(RunError):
        await workshop.builder.build(await workshop.order(Build()), on_line=workshop.on_line)
    workshop.write("Dockerfile", f"FROM {BASE}\nRUN exit 0\n")
    await workshop.builder.build(await workshop.order(Build()), on_line=workshop.on_line)
    assert workshop.accounts() == [], "accounts are left"
    assert workshop.secrets_of_nobody() == [], "Secrets would be left"
