"""Errors: stable codes, remedies, and that the pages of the reference say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conductor import errors
from conductor.domain.verdict import Reason, Verdict
from conductor.errors import ConductorError, ConfigurationError, Problem
from conductor.reports.reference import error_classes, errors_page, verdicts_page

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
AGAIN = "make it anew: python -m conductor.reports.reference docs/reference"


@pytest.mark.parametrize(("name", "page"), [("verdicts.md", verdicts_page), ("errors.md", errors_page)])
def test_the_page_of_the_reference_is_what_the_code_says(name: str, page):  # noqa: ANN001
    assert (REFERENCE / name).read_text(encoding="utf-8") == page(), AGAIN


def test_every_error_has_a_code_of_its_own():
    codes = [kind.code for kind in error_classes()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


def test_the_tree_at_the_top_of_the_file_names_every_class():
    drawn = re.findall(r"\b\w+Error\b", errors.__doc__ or "")
    assert set(drawn) == {kind.__name__ for kind in error_classes()}


def test_exit_codes_are_those_of_the_command_line():
    assert {kind.exit_code for kind in error_classes()} <= {2, 3, 4, 130}


def test_every_verdict_and_reason_stands_on_the_page():
    page = verdicts_page()
    assert all(f"| `{word}` |" in page for word in (*Verdict, *Reason))


def test_an_error_carries_message_and_remedy():
    error = ConductorError("cloning acme/shop: no such ref", remedy="Push it first.")
    assert (str(error), error.message, error.remedy) == ("cloning acme/shop: no such ref",) * 2 + (
        "Push it first.",
    )


def test_a_problem_shows_place_line_caret_and_remedy():
    problem = Problem(
        file=".conductor.yaml", line=4, column=3, message="unknown key `comand`", remedy="Did you mean `command`?",
        source="  comand: yarn test",
    )  # fmt: skip
    assert str(problem).splitlines() == [
        ".conductor.yaml:4:3: unknown key `comand`",
        "      comand: yarn test",
        "      ^",
        "    Did you mean `command`?",
    ]


def test_a_problem_without_a_place_is_one_line():
    assert str(Problem(file="a.yaml", message="is empty")) == "a.yaml: is empty"


def test_a_caret_beyond_the_line_is_left_out():
    assert "^" not in str(Problem(file="a", line=1, column=99, message="m", source="short"))


def test_all_problems_come_at_once():
    error = ConfigurationError([Problem(file="a", message="one"), Problem(file="b", message="two")])
    assert str(error) == "a: one\nb: two"
    assert [problem.file for problem in error.problems] == ["a", "b"]
