"""The reference page of the REST interface, made of its own description: `python -m conductor.web.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from conductor.web.app import answering
from conductor.web.openapi import DESCRIPTION, PROBLEMS, describe

HEAD = f"""# The REST interface

<!-- Generated from src/conductor/web by `python -m conductor.web.reference`; a test compares them. -->

{DESCRIPTION}
A server gives the whole description, with the shapes of everything, at `/openapi.json` (OpenAPI 3.1).

Streams (`.../stream`) are server-sent events. `id` of a frame is where to go on: a client that sends it as `Last-Event-ID` misses nothing
and is told nothing twice. `event: end` says that the run has ended and nothing comes after it.
"""


def reference() -> str:
    """Write the page."""
    described = describe(answering())
    tags: dict[str, list[str]] = {}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0], []).append("\n".join(_section(method, path, operation)))
    parts = [HEAD.rstrip()]
    for tag in sorted(tags):
        parts += [f"## {tag.capitalize()}", *tags[tag]]
    parts += ["## Problems", "\n".join(_problems())]
    return "\n\n".join(parts) + "\n"


def _section(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"### `{method.upper()} {path}`"
    yield ""
    yield operation.get("description", operation["summary"])
    rows = [_parameter(one) for one in operation.get("parameters", ()) if one["in"] != "path"]
    if rows:
        yield ""
        yield "| parameter | in | meaning |"
        yield "|---|---|---|"
        yield from rows
    if body := _body(operation):
        yield ""
        yield f"Body: `{body}`."


def _parameter(one: Mapping[str, Any]) -> str:
    meaning = one.get("description") or one["schema"].get("description", "")
    return f"| `{one['name']}` | {one['in']} | {meaning} |"


def _body(operation: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _problems() -> Iterator[str]:
    yield "| status | meaning |"
    yield "|---|---|"
    for status, meaning in PROBLEMS.items():
        yield f"| {status} | {meaning} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
