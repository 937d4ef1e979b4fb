"""The tools about environments, on the fake engine: asked for, worked in, pushed from and released, by whose they are alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from conductor.adapters.stores.environments import SqlEnvironments
from conductor.adapters.stores.sql import SqlStore
from conductor.domain.environment import WorkspaceKind
from conductor.operations import environments
from conductor.ports.world import WorkspaceRules, install
from tests.mcp.agents import ADMIN, AGENT, READER, RIVAL, STRANGER, Agent, Office, office
from tests.mcp.workspaces import PlayedWorkspaces, said
from tests.scenarios.service_stage import SHOP

WORKING: dict[str, dict[str, Any]] = {
    "exec_in_environment": {"command": "true"},
    "read_file": {"path": "a.txt"},
    "write_file": {"path": "a.txt", "content": "mine"},
    "push_branch": {},
    "extend_environment": {},
    "release_environment": {},
}


@asynccontextmanager
async def workshop(folder: Path) -> AsyncIterator[tuple[Office, PlayedWorkspaces]]:
    """Open an office whose world has workspaces."""
    async with office(folder) as desk:
        store = desk.world.store
        assert isinstance(store, SqlStore)
        workspaces = PlayedWorkspaces(desk.world.engine)
        workspaces.files, workspaces.answers = {"a.txt": b"first\n"}, {"true": said(0)}
        world = replace(
            desk.world,
            environments=SqlEnvironments(store.database),
            workspaces={WorkspaceKind.PLAIN: workspaces},
            workspace=WorkspaceRules(image="dev"),
        )
        install(world)
        desk.site = replace(desk.site, world=world)
        shop = desk.server.stage.forge.repositories[desk.server.shop.location]
        desk.server.stage.forge.repositories[f"/srv/{SHOP}"] = shop
        desk.server.issues.add(SHOP, 12, "Prices are wrong")
        yield desk, workspaces


async def a_place(agent: Agent) -> dict[str, Any]:
    """Claim the issue and have an environment for it, ready."""
    claimed = await agent.ask("claim_issue", repository=SHOP, issue=12)
    asked = await agent.ask("request_environment", repository=SHOP, issue=12)
    assert asked["branch"] == claimed["branch"]
    place = await agent.ask("show_environment", environment=asked["environment"], wait_seconds=30)
    assert place["status"] == "ready", place
    return place


async def test_an_agent_gets_one_environment_for_its_issue_works_in_it_and_releases_it(tmp_path: Path):
    async with workshop(tmp_path) as (desk, workspaces), desk.as_(AGENT) as agent:
        place = await a_place(agent)
        name = place["environment"]
        assert (await agent.ask("request_environment", repository=SHOP, issue=12))["environment"] == name
        workspaces.answers["make test"] = said(2, b"one failed\n", b"make: error\n")
        done = await agent.ask("exec_in_environment", environment=name, command="make test")
        assert done == {"exit_code": 2, "stdout": "one failed", "stderr": "make: error", "left_out_bytes": 0}
        await agent.ask("write_file", environment=name, path="src/b.txt", content="ä\n")
        assert workspaces.files["src/b.txt"] == "ä\n".encode()
        pushed = await agent.ask("push_branch", environment=name, tag="run-integration-tests-12")
        assert (pushed["branch"], pushed["tag"]) == (place["branch"], "run-integration-tests-12")
        assert pushed["commit"] in pushed["next"]
        own = await agent.ask("push_branch", environment=name)
        assert own["tag"] == f"run-integration-tests-{place['branch']}"
        assert not (await agent.ask("push_branch", environment=name, run_tests=False))["tag"]
        extended = await agent.ask("extend_environment", environment=name, hours=3)
        assert extended["expires_at"] > place["expires_at"]
        assert (await agent.ask("release_environment", environment=name))["status"] == "released"
        refusal = await agent.refused("exec_in_environment", environment=name, command="true")
        assert "is released" in refusal
        assert "What to do: " in refusal
        deeds = [deed.what for deed in await desk.server.service.access.deeds()]
        assert deeds[:3] == ["environment.release", "environment.extend", "environment.push"]


async def test_what_is_long_comes_in_parts_or_with_its_middle_left_out(tmp_path: Path):
    async with workshop(tmp_path) as (desk, workspaces), desk.as_(AGENT) as agent:
        name = (await a_place(agent))["environment"]
        workspaces.answers["yes"] = said(0, b'begin "\xff\x1b[1m' + b"y\n" * 90_000 + b"end", b"e" * 9_000)
        done = await agent.ask("exec_in_environment", environment=name, command="yes")
        assert done["stdout"].startswith("begin")
        assert done["stdout"].endswith("end")
        assert done["left_out_bytes"] > 180_000
        text = "".join(f'line {number} "ü"\n' for number in range(2_000))
        workspaces.files["long.txt"] = text.encode()
        read, offset = "", 0
        while offset is not None:
            part = await agent.ask("read_file", environment=name, path="long.txt", offset=offset)
            read, offset = read + part["content"], part["next"]
        assert read == text
        workspaces.files["image.png"] = b"\x89PNG\xff"
        assert "is no text" in await agent.refused("read_file", environment=name, path="image.png")
        assert "no such file" in await agent.refused("read_file", environment=name, path="nothing")


async def test_one_that_sleeps_is_woken_by_work(tmp_path: Path):
    async with workshop(tmp_path) as (desk, _), desk.as_(AGENT) as agent:
        name = (await a_place(agent))["environment"]
        await environments.sleep(desk.site.world, name)
        assert (await agent.ask("show_environment", environment=name))["status"] == "sleeping"
        assert (await agent.ask("exec_in_environment", environment=name, command="true"))["exit_code"] == 0
        assert (await agent.ask("show_environment", environment=name))["status"] == "ready"


async def test_an_environment_is_worked_in_and_ended_by_whose_it_is_alone(tmp_path: Path):
    async with workshop(tmp_path) as (desk, workspaces), desk.as_(AGENT) as agent, desk.as_(RIVAL) as rival:
        name = (await a_place(agent))["environment"]
        for tool, arguments in WORKING.items():
            assert "token:agent's" in await rival.refused(tool, environment=name, **arguments), tool
        refusal = await rival.refused("request_environment", repository=SHOP, issue=12)
        assert "token:agent" in refusal
        assert "(conflict; " in refusal
        assert workspaces.files == {"a.txt": b"first\n"}
        assert (await rival.ask("show_environment", environment=name))["status"] == "ready"


async def test_to_an_agent_of_another_repository_an_environment_is_not_there(tmp_path: Path):
    async with workshop(tmp_path) as (desk, _), desk.as_(AGENT) as agent, desk.as_(STRANGER) as stranger:
        name = (await a_place(agent))["environment"]
        for tool, arguments in {"show_environment": {}, **WORKING}.items():
            for named in (name, name[:9]):
                refusal = await stranger.refused(tool, environment=named, **arguments)
                assert "there is no environment" in refusal, tool
                assert SHOP not in refusal
        assert "there is no repository" in await stranger.refused("request_environment", repository=SHOP)


async def test_who_may_only_read_sees_an_environment_and_touches_nothing(tmp_path: Path):
    async with workshop(tmp_path) as (desk, _), desk.as_(AGENT) as agent, desk.as_(READER) as reader:
        name = (await a_place(agent))["environment"]
        assert (await reader.ask("show_environment", environment=name))["environment"] == name
        for tool, arguments in WORKING.items():
            assert "this needs the role run" in await reader.refused(tool, environment=name, **arguments)


async def test_an_environment_is_no_stack_that_could_be_deleted(tmp_path: Path):
    async with workshop(tmp_path) as (desk, _), desk.as_(AGENT) as agent, desk.as_(ADMIN) as admin:
        name = (await a_place(agent))["environment"]
        for who in (agent, admin):
            for tool in ("delete_stack", "keep_stack"):
                for named in (name, f"conductor-{name}"):
                    assert "there is no stack" in await who.refused(tool, run=named)
        read = await agent.client.read_resource(f"conductor://environments/{name}")
        assert '"status": "ready"' in getattr(read.contents[0], "text", "")
