"""The server: tools, resources and prompts over one site, whichever way requests come."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from mcp.server.mcpserver import Context, MCPServer

from conductor.mcp import prompts, resources
from conductor.mcp.guide import INSTRUCTIONS
from conductor.mcp.offering import Offer, Visiting, offer
from conductor.mcp.tools.environments import ENVIRONMENTS
from conductor.mcp.tools.evidence import EVIDENCE
from conductor.mcp.tools.issues import ISSUES
from conductor.mcp.tools.runs import RUNS
from conductor.mcp.tools.stacks import STACKS
from conductor.mcp.visit import Caller, Site, Visit

TOOLS: tuple[Offer, ...] = (*ISSUES, *ENVIRONMENTS, *RUNS, *EVIDENCE, *STACKS)
Calling = Callable[[Context[Any, Any]], Caller]
"""Tells who calls, by the context of a request."""


def create(site: Site, calling: Calling) -> MCPServer[Any]:
    """Make it, over one site."""

    def visiting(context: Context[Any, Any]) -> Visit:
        async def progress(done: float, text: str) -> None:
            await context.report_progress(done, None, text)

        return Visit(caller=calling(context), site=site, progress=progress)

    return offering(visiting)


def offering(visiting: Visiting) -> MCPServer[Any]:
    """Make what offers everything. The library sets up logging here where nobody has: whoever wants another sets it up before."""
    server: MCPServer[Any] = MCPServer(
        name="conductor",
        title="Conductor",
        instructions=INSTRUCTIONS,
        version=version("conductor"),
        log_level="WARNING",
        subscriptions=False,
    )
    for tool in TOOLS:
        offer(server, tool, visiting)
    resources.add(server, visiting)
    prompts.add(server)
    return server


def always(caller: Caller) -> Calling:
    """Take every call for the same caller's: at a desk there is one."""
    return lambda _: caller
