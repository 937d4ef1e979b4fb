"""The page of MCP is what the server says of itself, and that is written for models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mcp_types import Tool

from conductor.mcp.reference import reference
from conductor.mcp.server import TOOLS, offering

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "mcp.md"
LONGEST_DESCRIPTION = 1000


def test_the_page_is_current():
    assert PAGE.read_text() == reference(), "run `python -m conductor.mcp.reference > docs/reference/mcp.md`"


async def tools() -> list[Tool]:
    return await offering(lambda _: pytest.fail("asked")).list_tools()


async def test_each_tool_says_when_to_use_it_and_each_argument_what_it_is():
    for tool in await tools():
        assert "Use it " in (tool.description or ""), tool.name
        assert len(tool.description or "") < LONGEST_DESCRIPTION
        for name, field in tool.input_schema["properties"].items():
            assert field.get("description") or "$ref" in field, (tool.name, name)
        assert tool.output_schema, tool.name


async def test_each_tool_says_whether_it_only_reads_and_whether_it_destroys():
    hints = {tool.name: tool.annotations for tool in await tools()}
    assert all(
        one and one.read_only_hint is not None and one.destructive_hint is not None for one in hints.values()
    )
    destroying = {name for name, one in hints.items() if one and one.destructive_hint}
    assert {"cancel_run", "delete_stack"} <= destroying
    assert not any(one.read_only_hint for name, one in hints.items() if one and name in destroying)


async def test_what_changes_something_says_which_role_it_needs():
    for tool in TOOLS:
        says = "Needs the role run" in re.sub(r"\s+", " ", tool.work.__doc__ or "")
        assert says or tool.reads, tool.name
