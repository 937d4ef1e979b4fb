"""An agent's whole way over MCP: an issue, work on it, a wrong fix that fails, the digest that says why, a right one that passes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from mcp.client.streamable_http import streamable_http_client

from mcp import Client
from tests.live.served import Site, left_clean, prepared, serving
from tests.live.shop import shop_repository
from tests.mcp.agents import Agent

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

MOST_WAITS = 20
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


async def test_an_agent_takes_an_issue_through_a_failed_run_to_a_passed_one(tmp_path: Path):
    site = prepared(tmp_path, engine="docker")
    bare = broken_shop(site)
    made = site.command("tokens", "create", "agent", "--role", "run", "--repository", "shop")
    token = made.stdout.strip()
    site.command(
        "issues",
        "create",
        "shop",
        "--title",
        "Totals lose their cents",
        "--body",
        "Two Earl Grey are 13.80 EUR.",
        "--label",
        "bug",
    )
    with left_clean(site), serving(site) as (_, address):
        hook = site.command(
            "hook", "install", str(bare), "--server", address, "--secret-file", str(site.secret_file)
        )
        assert hook.returncode == 0, hook.stderr
        async with agent_of(address, token) as agent:
            issue = (await agent.ask("list_issues", repository="shop", labels=["bug"]))["issues"][0]["number"]
            claimed = await agent.ask("claim_issue", repository="shop", issue=issue)
            clone = site.folder / "clone"
            site.git("clone", "--quiet", str(bare), str(clone))
            site.git("switch", "--quiet", "--create", claimed["branch"], at=clone)
            code = clone / "backend" / "shop.js"

            def push(fix: str, was: str) -> str:
                code.write_text(code.read_text().replace(was, fix))
                site.git("commit", "--quiet", "--all", "--message", f"Fixes #{issue}", at=clone)
                site.git("tag", "--force", f"run-integration-tests-{issue}", at=clone)
                site.git(
                    "push",
                    "--quiet",
                    "--force",
                    "origin",
                    claimed["branch"],
                    f"run-integration-tests-{issue}",
                    at=clone,
                )
                return site.git("rev-parse", "HEAD", at=clone).strip()

            commit = push(WRONG, SEEDED)
            first = await agent.ask("start_run", repository="shop", ref=commit)
            assert await verdict_of(agent, first["run"]) == "failed"
            digest = await agent.ask("run_digest", run=first["run"])
            assert "13.80 EUR" in digest["digest"]
            assert "14.00 EUR" in digest["digest"]
            again = await agent.ask("rerun_failed", run=first["run"])
            assert (again["attempt"], again["failed_only"]) == (2, True)
            assert await verdict_of(agent, first["run"]) == "failed"
            commit = push(RIGHT, WRONG)
            second = await agent.ask("start_run", repository="shop", ref=commit)
            assert second["run"] != first["run"]
            assert await verdict_of(agent, second["run"]) == "passed"
            for run in (first, second):
                await agent.ask("delete_stack", run=run["run"])
            await agent.ask("release_issue", repository="shop", issue=issue)
        site.until(lambda: "passed" in comment(site, bare, issue) or not site.command("version").stdout)

    assert second["run"] in comment(site, bare, issue)
    assert first["run"] not in comment(site, bare, issue)
