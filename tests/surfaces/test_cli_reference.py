from pathlib import Path

from conductor.cli.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def test_the_reference_page_is_what_the_commands_say():
    assert PAGE.read_text() == reference(), "python -m conductor.cli.reference > docs/reference/cli.md"


def test_what_is_hidden_is_not_in_the_reference():
    assert "conductor sweep" not in reference()
