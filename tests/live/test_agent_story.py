"""An agent's whole way over MCP: an issue, work on it, a wrong fix that fails, the digest that says why, a right one that passes."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx2
import pytest
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from mcp import Client
from tests.live.served import Site, left_clean, prepared, serving
from tests.live.shop import conductor, shop_repository
from tests.live.workspace_image import workspace_image
from tests.mcp.agents import Agent

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

MOST_WAITS = 20
ISSUE, TITLE, WISH = 1, "Totals lose their cents", "Two Earl Grey are 13.80 EUR."
IDENTITY = "git config user.name agent && git config user.email agent@example.org"
RIGHT = "return `${(cents / 100).toFixed(2)} ${this.currency}`;"
SEEDED = "return `${Math.floor(cents / 100).toFixed(2)} ${this.currency}`;"
WRONG = "return `${Math.round(cents / 100).toFixed(2)} ${this.currency}`;"
UNIT_TEST = """\
'use strict';
const assert = require('node:assert/strict');
const { it } = require('node:test');
const { Shop } = require('./shop');

it('a whole price has its cents', () => assert.equal(new Shop({ currency: 'EUR' }).price(1400), '14.00 EUR'));
"""


def broken_shop(site: Site) -> Path:
    """Push a shop whose prices lose their cents to a bare repository; returns that."""
    bare = site.repositories / "shop.git"
    work = shop_repository(site.folder / "people")
    code = work / "backend" / "shop.js"
    assert RIGHT in code.read_text()
    code.write_text(code.read_text().replace(RIGHT, SEEDED))
    (work / "backend" / "price.test.js").write_text(UNIT_TEST)
    compose = work / "docker-compose.qa.yml"
    compose.write_text(compose.read_text().replace("interval: 5s", "interval: 1s"))
    site.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    site.git("commit", "--quiet", "--all", "--message", "Prices without a rounding error", at=work)
    site.git("add", "--all", at=work)
    site.git("commit", "--quiet", "--message", "A test of prices", at=work)
    site.git("push", "--quiet", str(bare), "main", at=work)
    return bare


@asynccontextmanager
async def agent_of(address: str, token: str) -> AsyncIterator[Agent]:
    """Be an agent: a client of MCP over HTTP, and nothing else."""
    patience = httpx2.Timeout(30, read=400)
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=patience) as http:
        transport = streamable_http_client(f"{address}/mcp", http_client=http, terminate_on_close=False)
        async with Client(transport) as client:
            yield Agent(client)


async def verdict_of(agent: Agent, run: str) -> str:
    """Wait as a model does: again and again, going on after what was told."""
    after = 0
    for _ in range(MOST_WAITS):
        standing = await agent.ask("wait_for_run", run=run, after=after)
        after = standing["after"]
        if standing["verdict"]:
            return str(standing["verdict"])
    raise AssertionError(f"no verdict: {standing}")


def comment(site: Site, bare: Path, issue: int) -> str:
    """Read what the issue was told of runs: one file, as it would be one comment elsewhere."""
    beside = site.git("ls-tree", "-r", "--name-only", "refs/conductor/issues", f"{issue}/", at=bare).split()
    told = [file for file in beside if "/run-" in file]
    assert len(told) <= 1, beside
    return site.git("show", f"refs/conductor/issues:{told[0]}", at=bare) if told else ""


@contextmanager
def nothing_left(site: Site) -> Iterator[None]:
    """Release what the agent could not, however the block ends."""
    try:
        yield
    finally:
        for one in json.loads(site.command("env", "list", "--json").stdout or "[]"):
            site.command("env", "release", one["row"]["environment"]["id"])


async def edit(agent: Agent, environment: str, was: str, fix: str, unit_test: str) -> None:
    """Change the code as an agent does: read, replace, write, run its unit tests, commit."""
    path = "backend/shop.js"
    code, offset = "", 0
    while offset is not None:
        part = await agent.ask("read_file", environment=environment, path=path, offset=offset)
        code, offset = code + part["content"], part["next"]
    assert was in code
    await agent.ask("write_file", environment=environment, path=path, content=code.replace(was, fix))
    await agent.ask("write_file", environment=environment, path="backend/price.test.js", content=unit_test)
    await shell(agent, environment, "node --test backend/price.test.js")
    await shell(agent, environment, f"git add --all && git commit --quiet --message {shlex.quote(fix)}")


async def shell(agent: Agent, environment: str, command: str) -> str:
    """Run a command there that goes well."""
    done = await agent.ask("exec_in_environment", environment=environment, command=command)
    assert done["exit_code"] == 0, done
    return str(done["stdout"])


async def ready(agent: Agent, environment: str) -> None:
    """Wait until it can be worked in."""
    for _ in range(MOST_WAITS):
        place = await agent.ask("show_environment", environment=environment, wait_seconds=20)
        if place["status"] not in ("requested", "provisioning"):
            break
    assert place["status"] == "ready", place


async def solved(agent: Agent) -> tuple[str, str]:
    """Go the whole way, from the list of issues to a passed run; returns the failed run and the passed one."""
    listed = await agent.ask("list_issues", repository="shop", labels=["bug"])
    issue = next(one["number"] for one in listed["issues"] if not one["claimed_by"])
    claimed = await agent.ask("claim_issue", repository="shop", issue=issue)
    assert (issue, WISH in claimed["body"]) == (ISSUE, True)
    place = await agent.ask("request_environment", repository="shop", issue=issue)
    assert place["branch"] == claimed["branch"]
    environment = place["environment"]
    await ready(agent, environment)
    await shell(agent, environment, IDENTITY)

    await edit(agent, environment, SEEDED, WRONG, UNIT_TEST)
    pushed = await agent.ask("push_branch", environment=environment)
    first = (await agent.ask("start_run", repository="shop", ref=pushed["commit"]))["run"]
    assert await verdict_of(agent, first) == "failed"
    digest = (await agent.ask("run_digest", run=first))["digest"]
    assert "13.80 EUR" in digest
    assert "14.00 EUR" in digest
    again = await agent.ask("rerun_failed", run=first)
    assert (again["attempt"], again["failed_only"]) == (2, True)
    assert await verdict_of(agent, first) == "failed"

    right_test = UNIT_TEST.replace("1400", "1380").replace("14.00", "13.80")
    await edit(agent, environment, WRONG, RIGHT, right_test)
    pushed = await agent.ask("push_branch", environment=environment)
    second = (await agent.ask("start_run", repository="shop", ref=pushed["commit"]))["run"]
    assert second != first
    assert await verdict_of(agent, second) == "passed"

    released = await agent.ask("release_environment", environment=environment)
    assert released["status"] == "released"
    for run in (first, second):
        await agent.ask("delete_stack", run=run)
    await agent.ask("release_issue", repository="shop", issue=issue)
    return first, second


async def prepared_site(
    folder: Path, state: Path, engine: str = "docker", **settings: str
) -> tuple[Site, Path]:
    """Make a site with the shop and its issue; returns it and the shop's repository."""
    image = await asyncio.to_thread(workspace_image, state, folder)
    site = prepared(folder / "site", engine=engine, CONDUCTOR_WORKSPACE_IMAGE=image, **settings)
    bare = broken_shop(site)
    made = site.command("issues", "create", "shop", "--title", TITLE, "--body", WISH, "--label", "bug")
    assert made.returncode == 0, made.stderr
    return site, bare


async def test_an_agent_of_a_server_takes_an_issue_through_a_failed_run_to_a_passed_one(
    tmp_path: Path, engine_state: Path
):
    site, bare = await prepared_site(tmp_path, engine_state)
    made = site.command("tokens", "create", "agent", "--role", "run", "--repository", "shop")
    with left_clean(site), nothing_left(site), serving(site) as (_, address):
        hook = site.command(
            "hook", "install", str(bare), "--server", address, "--secret-file", str(site.secret_file)
        )
        assert hook.returncode == 0, hook.stderr
        async with agent_of(address, made.stdout.strip()) as agent:
            first, second = await solved(agent)
        site.until(lambda: "passed" in comment(site, bare, ISSUE) or not site.command("version").stdout)

    assert second in comment(site, bare, ISSUE)
    assert first not in comment(site, bare, ISSUE)


async def test_an_agent_on_one_machine_goes_the_same_way_without_a_server(tmp_path: Path, engine_state: Path):
    site, _ = await prepared_site(tmp_path, engine_state)
    command, *arguments = conductor()
    started = StdioServerParameters(
        command=command, args=[*arguments, "mcp"], env={**site.environment, "CONDUCTOR_PRINCIPAL": "agent-1"}
    )
    with left_clean(site), nothing_left(site):
        async with Client(started) as client:
            await solved(Agent(client))
