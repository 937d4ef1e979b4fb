"""Resources: what a person attaches whole, and an agent reads where a tool's answer is too short.

Law: they have an end too, and say that they were cut. What they hold was masked before it was kept.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from pydantic_core import to_jsonable_python

from conductor.errors import ConductorError, NotFoundError
from conductor.mcp import refusals, visible
from conductor.mcp.offering import Visiting
from conductor.mcp.visit import Visit
from conductor.operations import environments
from conductor.operations.retention import refuse_removed
from conductor.reports.digest import to_digest
from conductor.reports.markdown import to_markdown
from conductor.reports.readable import clean

LONGEST = 64_000
"""Characters."""
MARKDOWN, PLAIN = "text/markdown", "text/plain"


def add(server: MCPServer[Any], visiting: Visiting) -> None:
    """Have a server offer them."""

    @server.resource("conductor://runs/{run}/report", title="Report of a run", mime_type=MARKDOWN)
    async def report(run: str, context: Context) -> str:
        """Give the whole report: stages, tests, failures with the services' lines, images, costs, links."""
        return await _answered(_report(visiting(context), run))

    @server.resource("conductor://runs/{run}/digest", title="Digest of a run", mime_type=MARKDOWN)
    async def digest(run: str, context: Context) -> str:
        """Give what an agent needs to go on, in at most 8 kB."""
        return await _answered(_digest(visiting(context), run))

    @server.resource("conductor://runs/{run}/logs", title="Logs of a run", mime_type=PLAIN)
    async def logs(run: str, context: Context) -> str:
        """Give the last of what all services, builds and tests wrote."""
        return await _answered(_logs(visiting(context), run, None))

    @server.resource("conductor://runs/{run}/logs/{service}", title="Log of a service", mime_type=PLAIN)
    async def log(run: str, service: str, context: Context) -> str:
        """Give the last of what one of them wrote."""
        return await _answered(_logs(visiting(context), run, service))

    @server.resource(
        "conductor://environments/{environment}", title="An environment", mime_type="application/json"
    )
    async def environment(environment: str, context: Context) -> str:
        """Give how an environment stands, with the steps that made it."""
        return await _answered(_environment(visiting(context), environment))


async def _environment(visit: Visit, name: str) -> str:
    row = await visible.find_environment(visit, name)
    view = await environments.find(visit.world, row.environment.id)
    shown = to_jsonable_python(view)
    return json.dumps(shown, ensure_ascii=False, indent=1)


async def _report(visit: Visit, run: str) -> str:
    row = await visible.find_run(visit, run)
    found = await visit.world.store.find_report(row.run.id, row.run.attempt)
    if found is None:
        raise NotFoundError(f"run {row.run.id} has no report yet", remedy="wait_for_run waits for its end.")
    return to_markdown(found)


async def _digest(visit: Visit, run: str) -> str:
    row = await visible.find_run(visit, run)
    found = await visit.world.store.find_report(row.run.id, row.run.attempt)
    if found is None:
        raise NotFoundError(f"run {row.run.id} has no report yet", remedy="wait_for_run waits for its end.")
    return to_digest(found)


async def _logs(visit: Visit, run: str, service: str | None) -> str:
    row = await visible.find_run(visit, run)
    await refuse_removed(visit.world, row.run)
    lines: deque[str] = deque()
    held = 0
    async for one in visit.world.evidence.read_log(row.run.id, row.run.attempt, workload=service):
        lines.append(f"{one.at:%Y-%m-%dT%H:%M:%S}Z {one.workload}: {clean(one.text)}"[:2000])
        held += len(lines[-1]) + 1
        while held > LONGEST:
            held -= len(lines.popleft()) + 1
    return "\n".join(lines)


async def _answered(making: Any) -> str:
    try:
        text: str = await making
    except NotFoundError as error:
        raise ResourceNotFoundError(refusals.in_words(error)) from error
    except ConductorError as error:
        raise ResourceError(refusals.in_words(error)) from error
    left_out = len(text) - LONGEST
    return text if left_out <= 0 else f"{text[:LONGEST]}\n({left_out} characters left out)"
