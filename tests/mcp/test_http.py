"""`/mcp` of a server, asked as clients do: by tokens with their repositories and roles, by names that it goes by, and passed on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client

from conductor.domain.access import Role
from conductor.domain.run import Run
from conductor.mcp.passing import passing
from conductor.mcp.serving import served
from conductor.operations import access
from conductor.operations.serving import ServerState
from conductor.ports.service import Service
from conductor.web.app import create
from mcp import Client
from tests.mcp.agents import OTHER, Agent, office
from tests.scenarios.service_stage import SHOP, TAG

PUBLIC = "https://conductor.example.org"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
ASKED_AS = {
    ("Host", "conductor.example.org"): 200,
    ("Host", "conductor.svc:8000"): 200,
    ("Host", "127.0.0.1:8000"): 200,
    ("Host", "evil.example"): 421,
    ("Origin", PUBLIC): 200,
    ("Origin", "https://evil.example"): 403,
    ("Content-Type", "text/plain"): 400,
}
"""What is answered to a request that bears such a header."""
ACCEPTED = {"Accept": "application/json, text/event-stream"}


@dataclass
class Site:
    """A server behind its door, without a socket."""

    service: Service
    http: httpx2.AsyncClient
    run: Run

    async def token(self, name: str, role: Role, *repositories: str) -> str:
        """Make a token."""
        now = self.service.world.clock.now()
        _, text = await access.create_token(
            self.service.access, name=name, role=role, repositories=repositories, now=now
        )
        return text

    @asynccontextmanager
    async def agent(self, token: str) -> AsyncIterator[Agent]:
        """Be whoever has that token."""
        self.http.headers["Authorization"] = f"Bearer {token}"
        transport = streamable_http_client(f"{PUBLIC}/mcp", http_client=self.http, terminate_on_close=False)
        async with Client(transport) as client:
            yield Agent(client)

    async def ping(self, **headers: str) -> httpx2.Response:
        """Ask whether anybody is there."""
        return await self.http.post("/mcp", json=PING, headers={**ACCEPTED, **headers})


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    async with office(folder) as desk:
        service = desk.server.service
        run = await desk.a_run()
        state = ServerState(started_at=desk.server.clock.now())
        app = create(service, state=state)
        async with served(service, state, public_url=PUBLIC, hosts=["conductor.svc:8000"]) as agents:
            app.router.routes.append(agents)
            transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
            async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC) as http:
                yield Site(service, http, run)


async def test_a_token_opens_its_own_repositories_and_nothing_without_one(tmp_path: Path):
    async with site(tmp_path) as asked:
        assert (await asked.ping()).status_code == 401
        assert (await asked.ping(Authorization="Bearer cdr_aaaaaaaa_x")).status_code == 401
        async with asked.agent(await asked.token("mine", Role.READ, SHOP)) as agent:
            assert (await agent.ask("wait_for_run", run=asked.run.id))["verdict"] == "passed"
            assert "role run" in await agent.refused("start_run", repository=SHOP, ref=TAG)
        async with asked.agent(await asked.token("other", Role.ADMIN, OTHER)) as stranger:
            assert "there is no run" in await stranger.refused("wait_for_run", run=asked.run.id)


async def test_what_is_done_is_in_the_audit_log_under_the_tokens_name(tmp_path: Path):
    async with site(tmp_path) as asked:
        async with asked.agent(await asked.token("bot", Role.RUN, SHOP)) as agent:
            await agent.ask("rerun_failed", run=asked.run.id)
        deed = (await asked.service.access.deeds())[0]
        assert (deed.principal, deed.what, deed.subject) == ("token:bot", "run.again", asked.run.id)
        assert deed.detail.endswith("(mcp)")


async def test_it_answers_to_its_own_names_and_to_pages_of_its_own(tmp_path: Path):
    async with site(tmp_path) as asked:
        bearer = {"Authorization": f"Bearer {await asked.token('bot', Role.READ)}"}
        answered = {
            (name, value): (await asked.ping(**bearer, **{name: value})).status_code
            for name, value in ASKED_AS
        }
    assert answered == ASKED_AS


async def test_a_body_has_an_end(tmp_path: Path):
    async with site(tmp_path) as asked:
        headers = {"Authorization": f"Bearer {await asked.token('bot', Role.READ)}", **ACCEPTED}
        answer = await asked.http.post("/mcp", content=b'"' + b"x" * 1_000_001, headers=headers)
        assert answer.status_code == 413


async def test_what_is_passed_on_is_the_same_with_its_progress(tmp_path: Path):
    told: list[str] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async with (
        site(tmp_path) as asked,
        asked.agent(await asked.token("bot", Role.READ)) as there,
        Client(passing(there.client)) as here,
    ):
        names: list[Any] = [
            [tool.name for tool in (await one.list_tools()).tools] for one in (here, there.client)
        ]
        assert names[0] == names[1]
        answer = await here.call_tool("wait_for_run", {"run": asked.run.id}, progress_callback=hear)
        assert answer.structured_content
        assert answer.structured_content["verdict"] == "passed"
        assert any("service redis" in line for line in told)
        refused = await here.call_tool("wait_for_run", {"run": "nothing"})
        assert refused.is_error
        read = await here.read_resource(f"conductor://runs/{asked.run.id}/digest")
        assert getattr(read.contents[0], "text", "").startswith("# passed")
        assert len((await here.list_resource_templates()).resource_templates) == 5
        assert [one.name for one in (await here.list_prompts()).prompts] == [
            "solve_an_issue",
            "why_is_it_red",
        ]
        assert (await here.get_prompt("why_is_it_red", {"run": "x"})).messages
        assert here.instructions == there.client.instructions
