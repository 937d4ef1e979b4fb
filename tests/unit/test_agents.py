"""What agents are told: the section of AGENTS.md, and configuration snippets that clients can read."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from conductor.cli.app import app
from conductor.errors import ConflictError, NotFoundError
from conductor.mcp.guide import INSTRUCTIONS
from conductor.operations.agents import BEGIN, END, guide, write_guide
from conductor.settings import Settings

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial" / "agents.md"
_BLOCK = re.compile(r"^```(json|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def servers() -> Iterator[dict[str, Any]]:
    for kind, text in _BLOCK.findall(TUTORIAL.read_text(encoding="utf-8")):
        told = json.loads(text) if kind == "json" else tomllib.loads(text)
        named = next(told[key] for key in ("mcpServers", "servers", "mcp_servers") if key in told)
        yield named["conductor"]


def test_every_snippet_is_read_and_leads_to_the_server_or_to_the_command():
    found = list(servers())
    assert len(found) == 9
    for one in found:
        if "command" in one:
            assert (one["command"], one["args"]) == ("conductor", ["mcp"])
            assert set(one["env"]) <= {f"CONDUCTOR_{name.upper()}" for name in Settings.model_fields}
        else:
            assert (one.get("url") or one["httpUrl"]).endswith("/mcp")
            bearer = one.get("bearer_token_env_var") or one["headers"]["Authorization"]
            assert "cdr_" not in bearer, "a token is in no file"


def test_the_commands_that_the_tutorial_names_are_there(tmp_path: Path):
    assert CliRunner().invoke(app, ["mcp", "--help"]).exit_code == 0
    wrote = CliRunner().invoke(app, ["init", "--agents", str(tmp_path)])
    assert (wrote.exit_code, wrote.output) == (0, f"{tmp_path / 'AGENTS.md'} is written. Commit it.\n")
    assert [file.name for file in tmp_path.iterdir()] == ["AGENTS.md"]


def test_agents_are_told_of_no_tool_that_is_not_offered():
    reference = (ROOT / "docs" / "reference" / "mcp.md").read_text(encoding="utf-8")
    known = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", INSTRUCTIONS + reference))
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", guide()))
    assert named
    assert named <= known


def test_a_new_file_has_the_section_and_an_old_one_keeps_what_it_says(tmp_path: Path):
    target = write_guide(tmp_path)
    assert target == tmp_path / "AGENTS.md"
    assert guide() in target.read_text()
    target.write_text("# Ours\n\nBe kind.\n")
    write_guide(tmp_path)
    assert target.read_text().startswith("# Ours\n\nBe kind.\n\n" + BEGIN)


def test_written_again_it_is_brought_up_to_date_in_its_place(tmp_path: Path):
    target = tmp_path / "AGENTS.md"
    target.write_text(f"before\n\n{BEGIN}\nold\n{END}\nafter\n")
    write_guide(tmp_path)
    once = target.read_text()
    assert once.startswith(f"before\n\n{BEGIN}\n{guide()}\n{END}\nafter\n")
    write_guide(tmp_path)
    assert target.read_text() == once


@pytest.mark.parametrize("damaged", [f"{BEGIN}\n", f"{END}\n{BEGIN}\n", f"{BEGIN}{END}{BEGIN}{END}"])
def test_damaged_marks_are_not_guessed_at(tmp_path: Path, damaged: str):
    (tmp_path / "AGENTS.md").write_text(damaged)
    with pytest.raises(ConflictError, match="there is not one"):
        write_guide(tmp_path)
    assert (tmp_path / "AGENTS.md").read_text() == damaged


def test_a_folder_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(NotFoundError):
        write_guide(tmp_path / "nowhere")


def test_the_tutorial_leads_to_pages_that_are_there():
    for link in re.findall(r"\]\((\.\.?/[^)#]+)", TUTORIAL.read_text(encoding="utf-8")):
        assert (TUTORIAL.parent / link).exists(), link
