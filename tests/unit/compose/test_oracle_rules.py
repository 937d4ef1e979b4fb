"""Each rule of loading, asked of the real docker-compose: accepted or rejected alike, and the same canonical form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from tests.unit.compose.rules import ATTRIBUTES, LOADING, REFUSED_HERE, Case
from tests.unit.compose.test_oracle import NAME, ask_compose, differences, make_what_it_names, needs_oracle

from conductor.compose.load import examine
from conductor.compose.reader import Checkout

pytestmark = pytest.mark.slow
CASES = {**ATTRIBUTES, **LOADING}
ASKED_AT_ONCE = 3


def write(case: Case, folder: Path) -> list[str]:
    files = {"one.yaml": case} if isinstance(case, str) else case
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text))
    return [name for name in ("one.yaml", "two.yaml") if name in files]


@dataclass(frozen=True)
class Asked:
    """A case in its folder, and what Compose made of it, or None and its words."""

    folder: Path
    files: Sequence[str]
    answer: Future[tuple[Mapping[str, Any] | None, str]]


@pytest.fixture(scope="module")
def asked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Asked]]:
    """Every case that is to be tested, asked of Compose a few at a time while others are compared."""
    calls = (getattr(item, "callspec", None) for item in request.session.items if item.path == request.path)
    names = [call.params["name"] for call in calls if call]
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        yield {name: _ask(pool, name, tmp_path_factory.mktemp("case")) for name in names}
        pool.shutdown(cancel_futures=True)


def _ask(pool: ThreadPoolExecutor, name: str, folder: Path) -> Asked:
    files = write(CASES[name], folder)
    return Asked(folder=folder, files=files, answer=pool.submit(ask_compose, folder, *files))


@needs_oracle
@pytest.mark.parametrize("name", CASES)
def test_a_rule_is_compose_s_own(asked: Mapping[str, Asked], name: str):
    folder, files = asked[name].folder, asked[name].files
    project, words = asked[name].answer.result(timeout=120)
    if project is not None:
        make_what_it_names(folder, project)
    loaded = examine(Checkout(folder), files, name=NAME)
    said = [problem.message for problem in loaded.problems]
    if project is None:
        assert said, f"rejected by Compose only: {words}"
    elif name in REFUSED_HERE:
        assert any(REFUSED_HERE[name] in message for message in said), said
    else:
        assert said == []
        assert differences(project, loaded, folder) == []
