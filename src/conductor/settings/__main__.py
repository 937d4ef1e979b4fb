"""Print the reference page: `python -m conductor.settings > docs/reference/settings.md`."""

from conductor.settings.reference import reference

print(reference(), end="")  # noqa: T201 -- how the page is made
