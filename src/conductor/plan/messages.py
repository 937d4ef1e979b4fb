"""From the model's errors to problems that a person can read: the place in the file, what is wrong, the nearest right key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from conductor.documents.document import Document, Path, nearest
from conductor.documents.text import quoted
from conductor.errors import Problem
from conductor.plan.model import Configuration, known_keys
from conductor.plan.words import kind

_WANTED = {
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "float_type": "a number",
    "float_parsing": "a number",
    "enum": "one of keep, on-success, always",
}
_BOUNDS = {"greater_than": "more than {gt:g}", "less_than_equal": "{le:g} at most"}
_KEY = "[key]"
"""How the model's errors say that a key is wrong, not its value."""
_NAMED = {"string_too_short", "too_short"}


def problems_of(error: ValidationError, document: Document) -> Iterator[Problem]:
    """Yield a problem for each error, with its place in the document."""
    for details in error.errors(include_url=False):
        yield _problem(details, document)


def path_of(location: Path, data: Any) -> Path:
    """Return where it stands in the file: the model makes a list of one suite, one name, one path; the file need not.

    >>> path_of(("tests", 0, "command"), {"tests": {"command": 5}})
    ('tests', 'command')
    """
    path: list[str | int] = []
    for part in location:
        if part == _KEY or (isinstance(part, int) and not isinstance(data, list)):
            continue
        path.append(part)
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            data = data[part] if part < len(data) else None
    return tuple(path)


def dotted(path: Path) -> str:
    """Write a path as people do.

    >>> dotted(("tests", 0, "command"))
    'tests[0].command'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _problem(details: ErrorDetails, document: Document) -> Problem:
    path = path_of(details["loc"], document.data)
    name = quoted(dotted(path)) if path else "the file"
    match details["type"]:
        case "extra_forbidden":
            return _unknown(path, details["loc"], document)
        case "missing":
            return _missing(path, document)
        case "value_error":
            said, key = str(details["ctx"]["error"]), details["loc"][-1] == _KEY
            return document.problem(
                path, f"{name} {said}" if said.startswith("must") else f"{name}: {said}", key=key
            )
        case kind_of if kind_of in _BOUNDS:
            return document.problem(path, f"{name} must be {_BOUNDS[kind_of].format(**details['ctx'])}")
        case kind_of if kind_of in _NAMED:
            return document.problem(path, f"{name} must not be empty")
    value = details["input"]
    given = quoted(value) if isinstance(value, str) else kind(value)
    wanted = _WANTED.get(details["type"], details["msg"].removeprefix("Input should be "))
    return document.problem(path, f"{name} must be {wanted}, not {given}")


def _unknown(path: Path, location: Path, document: Document) -> Problem:
    key, keys = str(path[-1]), known_keys(section_at(location[:-1]))
    meant = nearest(key, keys)
    remedy = f"Did you mean `{meant}`?" if meant else f"Known here: {', '.join(keys)}."
    where = f" in {quoted(dotted(path[:-1]))}" if path[:-1] else ""
    return document.problem(path, f"unknown key {quoted(key)}{where}", remedy=remedy, key=True)


def _missing(path: Path, document: Document) -> Problem:
    remedy = {
        "version": "Write `version: 1`.",
        "command": "Say how the tests are run, such as `command: yarn test`.",
    }
    return document.problem(path, f"{quoted(dotted(path))} is missing", remedy=remedy.get(str(path[-1]), ""))


def section_at(location: Path) -> type[BaseModel]:
    """Return the section of the model that an error's location lies in."""
    section: type[BaseModel] = Configuration
    for part in location:
        if isinstance(part, str):
            fields = {field.alias or name: field for name, field in section.model_fields.items()}
            section = _section_in(fields[part].annotation) or section
    return section


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _section_in(inner))), None)
