"""Over standard input and output, for one agent on one machine: the desk's own world, or a server's tools passed on."""

from __future__ import annotations

from conductor.domain.access import Role
from conductor.mcp.server import always, create
from conductor.mcp.starting import DeskRuns
from conductor.mcp.visit import Caller, Site
from conductor.operations.following import Following
from conductor.ports.issues import Tracking
from conductor.ports.world import World


async def answer_here(world: World, tracking: Tracking | None, *, principal: str) -> None:
    """Answer until standard input ends. Nothing but the protocol goes to standard output."""
    site = Site(world=world, starting=DeskRuns(world), following=Following(world), tracking=tracking)
    caller = Caller(principal=principal, role=Role.RUN)
    await create(site, always(caller)).run_stdio_async()
