"""The page about compose files says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conductor.cli.compose_reference import keys_table, page, places
from conductor.compose.samples import ODD, SAMPLES
from conductor.compose.unsupported import REFUSALS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "compose.md"
UNTOLD = "nothing that the engine is told"
AGAIN = "make it anew: python -m conductor.cli.compose_reference docs/reference/compose.md"


@pytest.fixture(scope="module")
def rows() -> dict[str, list[str]]:
    """Return the cells of every key's row."""
    lines = keys_table().splitlines()[2:]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {cell[0].strip("`"): cell[1:] for cell in cells}


def test_the_page_is_what_the_code_does():
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, AGAIN


def test_every_key_that_compose_knows_has_a_row_that_says_something_of_each_engine(
    rows: dict[str, list[str]],
):
    assert list(rows) == places()
    assert all(cell for row in rows.values() for cell in row[1:])


def test_a_key_that_does_nothing_at_all_is_not_called_converted(rows: dict[str, list[str]]):
    assert [place for place, row in rows.items() if "nothing" in row] == []


def test_no_engine_drops_a_key_in_silence(rows: dict[str, list[str]]):
    """Neither is the engine told of it, nor does Conductor do it, nor is it refused, nor noted: only these are known to be so."""
    silent = {place for place, row in rows.items() if any(UNTOLD in cell for cell in row)}
    assert silent == set()


@pytest.mark.parametrize("engine", [1, 2], ids=["docker", "kubernetes"])
def test_a_key_that_is_refused_everywhere_is_refused_in_its_row(rows: dict[str, list[str]], engine: int):
    refused = {place for place, refusal in REFUSALS.items() if not refusal.harmless}
    assert {rows[place][engine] for place in refused} == {"refused"}


def test_samples_are_of_keys_that_are_known():
    assert set(SAMPLES) <= set(places())
    assert set(ODD) <= set(SAMPLES)


def test_differences_between_engines_are_on_the_page(rows: dict[str, list[str]]):
    docker, kubernetes = rows["services.*.ulimits"][1:]
    assert "refused" not in docker
    assert "refused" in kubernetes
