"""Each rule of loading, asked of the real docker-compose: accepted or rejected alike, and the same canonical form."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from tests.unit.compose.rules import ATTRIBUTES, LOADING, REFUSED_HERE, Case
from tests.unit.compose.test_oracle import NAME, ask_compose, differences, make_what_it_names, needs_oracle

from conductor.compose.load import examine
from conductor.compose.reader import Checkout

CASES = {**ATTRIBUTES, **LOADING}


def write(case: Case, folder: Path) -> list[str]:
    files = {"one.yaml": case} if isinstance(case, str) else case
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text))
    return [name for name in ("one.yaml", "two.yaml") if name in files]


@needs_oracle
@pytest.mark.parametrize("name", CASES)
def test_a_rule_is_compose_s_own(tmp_path: Path, name: str):
    files = write(CASES[name], tmp_path)
    project, words = ask_compose(tmp_path, *files)
    if project is not None:
        make_what_it_names(tmp_path, project)
    loaded = examine(Checkout(tmp_path), files, name=NAME)
    said = [problem.message for problem in loaded.problems]
    if project is None:
        assert said, f"rejected by Compose only: {words}"
    elif name in REFUSED_HERE:
        assert any(REFUSED_HERE[name] in message for message in said), said
    else:
        assert said == []
        assert differences(project, loaded, tmp_path) == []
