"""The page of MCP, made of what the server says of itself: `python -m conductor.mcp.reference > docs/reference/mcp.md`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from mcp.server.mcpserver import MCPServer
from mcp_types import Tool

from conductor.mcp.fitting import LIMIT_BYTES
from conductor.mcp.guide import INSTRUCTIONS
from conductor.mcp.server import offering

_HEAD = f"""\
# MCP

What Conductor offers to agents over the Model Context Protocol: on standard input and output by `conductor mcp`, and over streamable HTTP
at `/mcp` of a server. How to connect an agent: [agents](../tutorial/agents.md). Written by `python -m conductor.mcp.reference`.

Every answer has at most {LIMIT_BYTES} bytes, its text and its structured form together, and says how to get more. What is refused is an
error of the tool with what happened, what to do, a stable code, and whether the same call may go well later. A token sees its own
repositories; with the role `read` it looks, with `run` it starts things, and ends what is its own: runs it asked for, those of branches
that it has claimed, and its own claims and environments.
"""


def reference() -> str:
    """Write the page."""
    return asyncio.run(_page())


async def _page() -> str:
    server = offering(_nobody)
    tools = await server.list_tools()
    parts = [
        _HEAD,
        "## What a model is told first",
        "\n\n".join(f"> {part}" for part in INSTRUCTIONS.strip().split("\n\n")),
        "## Tools",
        "\n".join(["| tool | what it is for | hints |", "|---|---|---|", *map(_row, tools)]),
        *("\n".join(_tool(tool)) for tool in tools),
        "## Resources",
        "\n".join([line async for line in _resources(server)]),
        "## Prompts",
        "\n".join([line async for line in _prompts(server)]),
    ]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _row(tool: Tool) -> str:
    return f"| [`{tool.name}`](#{tool.name}) | {tool.title} | {', '.join(_hints(tool))} |"


def _hints(tool: Tool) -> Iterator[str]:
    hints = tool.annotations
    if hints is None:
        return
    yield "reads" if hints.read_only_hint else "changes"
    if hints.destructive_hint:
        yield "destroys"
    if hints.idempotent_hint and not hints.read_only_hint:
        yield "may be repeated"


def _tool(tool: Tool) -> Iterator[str]:
    yield f"### {tool.name}"
    yield ""
    yield tool.description or ""
    for title, schema in (("argument", tool.input_schema), ("answer", tool.output_schema or {})):
        fields = _fields(schema)
        if fields:
            yield from ("", f"| {title} | kind | |", "|---|---|---|", *fields)


def _fields(schema: Mapping[str, Any]) -> list[str]:
    definitions = schema.get("$defs", {})
    required = set(schema.get("required", ()))
    return [
        _field(name, field, definitions, is_required=name in required or "default" not in field)
        for name, field in schema.get("properties", {}).items()
    ]


def _field(name: str, field: Mapping[str, Any], definitions: Mapping[str, Any], *, is_required: bool) -> str:
    default = "" if is_required or field["default"] in (None, "") else f" Default: `{field['default']}`."
    described = str(field.get("description", "")).replace("|", "\\|")
    optional = "" if is_required else ", optional"
    return f"| `{name}` | {_kind(field, definitions)}{optional} | {described}{default} |"


def _kind(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return _kind(definitions[field["$ref"].rsplit("/", 1)[1]], definitions)
    if "anyOf" in field:
        return " or ".join(_kind(one, definitions) for one in field["anyOf"])
    if "enum" in field:
        return " or ".join(f"`{one}`" for one in field["enum"])
    if field.get("type") == "array":
        return f"list of {_kind(field.get('items', {}), definitions)}"
    if field.get("type") == "object" and "properties" in field:
        return f"object ({', '.join(f'`{name}`' for name in field['properties'])})"
    return str(field.get("format") or field.get("type") or "any")


async def _resources(server: MCPServer[Any]) -> Any:
    yield "| address | kind | |"
    yield "|---|---|---|"
    for one in await server.list_resource_templates():
        yield f"| `{one.uri_template}` | {one.mime_type} | {one.description} |"


async def _prompts(server: MCPServer[Any]) -> Any:
    yield "| prompt | arguments | |"
    yield "|---|---|---|"
    for one in await server.list_prompts():
        names = ", ".join(f"`{argument.name}`" for argument in one.arguments or ())
        yield f"| `{one.name}` | {names} | {one.description} |"


def _nobody(_: Any) -> NoReturn:
    raise AssertionError("who only describes is asked nothing")


if __name__ == "__main__":
    sys.stdout.write(reference())
