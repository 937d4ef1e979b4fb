"""The same way of an agent over MCP on a real cluster: a pod to work in, builds by Kaniko, a registry, the stack, the verdict.

It needs what tests/kubernetes/peers.py names; and on the nodes the image of tests/live/workspace_image.py, which
CONDUCTOR_TEST_WORKSPACE_IMAGE names.
"""

from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path

import pytest

from tests.kubernetes.clusters import KUBECONFIG
from tests.kubernetes.peers import kaniko_image, peer
from tests.live.kubernetes_runs import TOOLS
from tests.live.served import left_clean, prepared, serving
from tests.live.test_agent_story import (
    ISSUE,
    TITLE,
    WISH,
    agent_of,
    broken_shop,
    comment,
    nothing_left,
    solved,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


async def test_an_agent_takes_an_issue_to_a_passed_run_on_a_cluster(tmp_path: Path):
    image = os.environ.get("CONDUCTOR_TEST_WORKSPACE_IMAGE", "")
    if not KUBECONFIG or not image:
        pytest.skip("no cluster to test with: CONDUCTOR_TEST_KUBECONFIG, CONDUCTOR_TEST_WORKSPACE_IMAGE")
    registry, mirror = peer("CONDUCTOR_TEST_REGISTRY"), peer("CONDUCTOR_TEST_TOKEN_REGISTRY")
    site = prepared(
        tmp_path / "site",
        engine="kubernetes",
        CONDUCTOR_WORKSPACE_IMAGE=image,
        CONDUCTOR_KUBECONFIG=KUBECONFIG,
        CONDUCTOR_TOOLS_IMAGE=TOOLS,
        CONDUCTOR_INSTANCE=f"story-{uuid.uuid4().hex[:6]}",
        CONDUCTOR_KANIKO_IMAGE=kaniko_image(),
        CONDUCTOR_REGISTRY_TYPE="plain",
        CONDUCTOR_REGISTRY_URL=registry.url,
        CONDUCTOR_REGISTRY_USER=registry.user,
        CONDUCTOR_REGISTRY_PASSWORD=registry.password,
        CONDUCTOR_REGISTRY_PULL_USER=registry.user,
        CONDUCTOR_REGISTRY_PULL_PASSWORD=registry.password,
        CONDUCTOR_REGISTRY_INSECURE="true",
        CONDUCTOR_REGISTRY_PROJECT="conductor",
        CONDUCTOR_BUILD_MIRRORS=mirror.host,
        CONDUCTOR_BUILD_INSECURE=mirror.host,
        CONDUCTOR_BUILD_EGRESS=f"{registry.host.partition(':')[0]}/32",
    )
    bare = broken_shop(site)
    opened = site.command("issues", "create", "shop", "--title", TITLE, "--body", WISH, "--label", "bug")
    assert opened.returncode == 0, opened.stderr
    made = site.command("tokens", "create", "agent", "--role", "run", "--repository", "shop")
    with left_clean(site), nothing_left(site), serving(site) as (_, address):
        hook = site.command(
            "hook", "install", str(bare), "--server", address, "--secret-file", str(site.secret_file)
        )
        assert hook.returncode == 0, hook.stderr
        async with agent_of(address, made.stdout.strip()) as agent:
            _, second = await solved(agent)
        site.until(lambda: "passed" in comment(site, bare, ISSUE) or not site.command("version").stdout)
        sys.stderr.write(site.command("runs", "show", second).stdout)
    assert second in comment(site, bare, ISSUE)
