"""A server's tools on standard input and output: each question is passed on to its `/mcp`, with the token that was kept for it.

Law: nothing is added and nothing left out; what the server tells of progress is passed on as it comes.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
)

from conductor.errors import UnreachableError
from conductor.mcp.serving import PATH
from mcp import Client

ANSWER_SECONDS, SILENCE_SECONDS = 30.0, 360.0
Asking = ServerRequestContext[Any, Any]


async def pass_on(address: str, token: str) -> None:
    """Answer until standard input ends. UnreachableError where the server does not answer, or does not take the token."""
    patience = httpx2.Timeout(ANSWER_SECONDS, read=SILENCE_SECONDS)
    headers = {"Authorization": f"Bearer {token}", "User-Agent": "conductor"}
    async with httpx2.AsyncClient(headers=headers, timeout=patience) as http:
        await _let_in(http, address)
        transport = streamable_http_client(f"{address}{PATH}", http_client=http, terminate_on_close=False)
        async with Client(transport) as there:
            server = passing(there)
            async with stdio_server() as (incoming, outgoing):
                await server.run(incoming, outgoing, server.create_initialization_options())


def passing(there: Client) -> Server[Any]:
    """Make a server that has what another one has."""

    async def list_tools(_: Asking, asked: PaginatedRequestParams | None) -> ListToolsResult:
        return await there.list_tools(cursor=asked.cursor if asked else None)

    async def call_tool(context: Asking, asked: CallToolRequestParams) -> CallToolResult:
        async def tell(progress: float, total: float | None, message: str | None) -> None:
            await context.session.report_progress(progress, total, message)

        return await there.call_tool(asked.name, asked.arguments, progress_callback=tell)

    async def list_resources(_: Asking, asked: PaginatedRequestParams | None) -> ListResourcesResult:
        return await there.list_resources(cursor=asked.cursor if asked else None)

    async def list_templates(_: Asking, asked: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        return await there.list_resource_templates(cursor=asked.cursor if asked else None)

    async def read_resource(_: Asking, asked: ReadResourceRequestParams) -> ReadResourceResult:
        return await there.read_resource(str(asked.uri))

    async def list_prompts(_: Asking, asked: PaginatedRequestParams | None) -> ListPromptsResult:
        return await there.list_prompts(cursor=asked.cursor if asked else None)

    async def get_prompt(_: Asking, asked: GetPromptRequestParams) -> GetPromptResult:
        return await there.get_prompt(asked.name, asked.arguments)

    return Server(
        "conductor",
        version=version("conductor"),
        title="Conductor",
        instructions=there.instructions,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
    )


async def _let_in(http: httpx2.AsyncClient, address: str) -> None:
    """See that the server answers and takes the token, and say so in words where it does not."""
    try:
        answer = await http.get(f"{address}/api/v1/whoami")
    except httpx2.HTTPError as error:
        raise UnreachableError(
            f"{address} does not answer: {error or type(error).__name__}",
            remedy="See that the address is right and that `conductor serve` runs there.",
        ) from error
    if not answer.is_success:
        raise UnreachableError(
            f"{address} answered {answer.status_code} to who are you",
            remedy=f"`conductor login {address}` keeps a token that it takes.",
        )
