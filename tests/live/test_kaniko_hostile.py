"""What a hostile Dockerfile can do with all that it finds where it is built: nothing to anybody else's images, asked of the registry."""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from conductor.domain.stack import Build
from conductor.errors import ConductorError
from conductor.ports.builder import Remote
from tests.kubernetes.peers import GitPeer, RegistryPeer, unique
from tests.live.kaniko_builds import HOSTILE, MakeWorkshop, Workshop

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
FORGED = "sha256:" + "0" * 64
STOLEN = "stolen"


@pytest.fixture(params=["wide", "narrow"])
async def workshop(request: pytest.FixtureRequest, make_workshop: MakeWorkshop) -> Workshop:
    """A workshop with a registry of each kind: the account pushes everywhere, or to the repository's own path."""
    return await make_workshop(request.param)


def hostile_build(workshop: Workshop, *victims: str) -> Build:
    shutil.copytree(HOSTILE, workshop.checkout, dirs_exist_ok=True)
    registry = workshop.registry.peer.peer.url
    return Build(args={"REGISTRY": registry, "VICTIMS": " ".join(victims)})


@pytest.mark.skipif(not shutil.which("node"), reason="no node on this machine")
def test_the_attack_works_where_credentials_are_in_reach(registry: RegistryPeer, tmp_path: Path):
    victim = unique("victim")
    told = b64encode(f"{registry.peer.user}:{registry.peer.password}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": told}}}))
    command = ["node", HOSTILE / "steal.js", tmp_path, registry.peer.url, victim]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert f"STEAL pushed to {victim}" in said
    assert registry.tags(victim) == [STOLEN]
    registry.empty(victim)


async def test_nothing_is_pushed_to_another_repository(workshop: Workshop):
    victims = unique("victim"), "library/node"
    order = await workshop.order(hostile_build(workshop, *victims))

    made = await workshop.builder.build(order, on_line=workshop.on_line)

    told = [line for line in workshop.lines if line.startswith("STEAL")]
    assert any(line.startswith("STEAL found") for line in told), "the attack did not run"
    assert len(told) > len(victims)
    assert not [line for line in told if "pushed to" in line]
    for victim in victims:
        assert STOLEN not in workshop.registry.peer.tags(victim)
    assert made.digest == workshop.in_registry(order)


async def test_beside_a_wide_account_nothing_of_the_repository_runs(make_workshop: MakeWorkshop):
    workshop = await make_workshop("wide")
    own = f"{workshop.registry.path(workshop.repository)}/other"
    order = await workshop.order(hostile_build(workshop, own))
    await workshop.builder.build(order, on_line=workshop.on_line)
    assert [line for line in workshop.lines if line.startswith("STEAL found 0 in files")]
    assert workshop.registry.peer.tags(own) == []


async def test_with_the_token_for_its_own_commit_nothing_is_pushed_either(
    workshop: Workshop, git_server: GitPeer
):
    victim = unique("victim")
    build = hostile_build(workshop, victim)
    commit = git_server.push(workshop.checkout, workshop.repository)
    remote = Remote(url=git_server.url(workshop.repository), commit=commit)
    await workshop.builder.build(await workshop.order(build, remote=remote), on_line=workshop.on_line)
    assert [line for line in workshop.lines if line.startswith("STEAL found")]
    assert workshop.registry.peer.tags(victim) == []


async def test_a_forged_digest_is_not_believed(workshop: Workshop):
    forging = f"(setsid sh -c 'for i in $(seq 600); do echo {FORGED} >/dev/termination-log; sleep 0.05; done' >/dev/null 2>&1 &)"
    workshop.write("Dockerfile", f"FROM busybox:1.36\nRUN {forging}; sleep 1; echo forging\n")
    order = await workshop.order(Build())
    try:
        made = await workshop.builder.build(order, on_line=workshop.on_line)
    except ConductorError:
        return  # no image is an answer too
    assert made.digest == workshop.in_registry(order)
    assert made.digest != FORGED


async def test_no_credential_is_in_the_log_of_a_build(workshop: Workshop):
    workshop.write("Dockerfile", "FROM busybox:1.36\nRUN echo built\n")
    await workshop.builder.build(await workshop.order(Build()), on_line=workshop.on_line)
    said = "\n".join(workshop.lines)
    assert "built" in workshop.lines
    assert workshop.registry.peer.peer.password not in said
