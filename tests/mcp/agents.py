"""Agents before a stage: each a caller of its own, speaking the protocol to a server in the same process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from mcp_types import CallToolResult

from conductor.adapters.stores.history import SqlHistory
from conductor.adapters.stores.sql import SqlStore
from conductor.domain.access import Role
from conductor.domain.run import Run
from conductor.mcp.fitting import LIMIT_BYTES
from conductor.mcp.server import always, create
from conductor.mcp.starting import ServedRuns
from conductor.mcp.visit import Caller, Site
from conductor.operations.following import Following
from mcp import Client
from tests.scenarios.service_stage import SHOP, Server

PLAN = "version: 1\ntests: {command: [yarn, test], timeout: 10m, rerun: 'yarn test {files}'}\ncleanup: keep\n"
OTHER = "acme/other"

AGENT = Caller(principal="token:agent", role=Role.RUN, repositories=frozenset({SHOP}))
RIVAL = Caller(principal="token:rival", role=Role.RUN, repositories=frozenset({SHOP}))
READER = Caller(principal="token:reader", role=Role.READ)
STRANGER = Caller(principal="token:stranger", role=Role.RUN, repositories=frozenset({OTHER}))
ADMIN = Caller(principal="token:admin", role=Role.ADMIN)


@dataclass
class Agent:
    """Asks tools; each answer is held against the limit and its own schema."""

    client: Client

    async def ask(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool that answers."""
        answer = await self.call(tool, **arguments)
        assert not answer.is_error, answer.content
        assert answer.structured_content is not None
        return answer.structured_content

    async def refused(self, tool: str, **arguments: Any) -> str:
        """Call a tool that refuses; returns what it says."""
        answer = await self.call(tool, **arguments)
        assert answer.is_error, answer.structured_content
        (said,) = answer.content
        return str(getattr(said, "text", ""))

    async def call(self, tool: str, **arguments: Any) -> CallToolResult:
        """Call a tool."""
        answer = await self.client.call_tool(tool, arguments)
        assert isinstance(answer, CallToolResult)
        assert len(answer.model_dump_json(by_alias=True, exclude_none=True).encode()) <= LIMIT_BYTES
        return answer


class Office:
    """A server with its site; agents come in by `as_`."""

    def __init__(self, server: Server) -> None:
        self.server = server
        store = server.service.world.store
        assert isinstance(store, SqlStore)
        self.world = replace(server.service.world, history=SqlHistory(store.database))
        self.site = Site(
            world=self.world,
            starting=ServedRuns(server.service),
            following=Following(
                self.world, every=timedelta(milliseconds=1), patience=timedelta(milliseconds=20)
            ),
            tracking=server.service.tracking,
            access=server.service.access,
        )

    @asynccontextmanager
    async def as_(self, caller: Caller, **client: Any) -> AsyncIterator[Agent]:
        """Be that caller."""
        async with Client(create(self.site, always(caller)), **client) as opened:
            yield Agent(opened)

    async def a_run(self) -> Run:
        """Have a run of the shop that has ended, with its stack kept."""
        _, delivery = self.server.push()
        await self.server.deliver(delivery)
        await self.server.until_quiet()
        return (await self.server.the_run()).run


@asynccontextmanager
async def office(folder: Path, **server: Any) -> AsyncIterator[Office]:
    """Open one."""
    async with Server(folder, **{"plan": PLAN, **server}).launched() as stage:
        yield Office(stage)
