"""The page of the REST interface is what the interface says of itself."""

from pathlib import Path

from conductor.web.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"


def test_the_page_is_current():
    assert PAGE.read_text() == reference(), "run `python -m conductor.web.reference > docs/reference/api.md`"
