"""The JSON schema and the reference page of `.conductor.yaml`, made from the model: `python -m conductor.plan.schema docs/reference`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from conductor.plan.messages import section_at
from conductor.plan.model import Configuration
from conductor.plan.words import duration_text

SCHEMA_FILE = "conductor.schema.json"
REFERENCE_FILE = "conductor-yaml.md"
_SECTIONS: tuple[tuple[str, ...], ...] = (
    (), ("triggers",), ("stack",), ("tests",), ("tests", "build"), ("secrets",), ("workspace",),
)  # fmt: skip


def json_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) for editors. It knows shapes; what the reader checks beyond them it cannot say."""
    made = Configuration.model_json_schema(by_alias=True)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": ".conductor.yaml",
        **{key: value for key, value in _without_titles(made).items() if key != "title"},
    }
    suite = schema["$defs"]["SuiteSection"]
    suite["not"] = {
        "anyOf": [
            {"required": pair} for pair in (["build", "image"], ["build", "service"], ["image", "service"])
        ]
    }
    return schema


def _without_titles(value: Any) -> Any:
    """Take the generated titles away (they repeat the keys); a key of the file that is called `title` would stay."""
    if isinstance(value, list):
        return [_without_titles(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _without_titles(item)
        for key, item in value.items()
        if key != "title" or not isinstance(item, str)
    }


def reference() -> str:
    """Return the reference page in Markdown: each section with its keys, their defaults and what they mean."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# `.conductor.yaml`"
    yield ""
    yield "The file in the root of a repository that says how Conductor tests it. The smallest one, beside a"
    yield "`docker-compose.qa.yml` and a `Dockerfile.test` (or `Dockerfile`):"
    yield ""
    yield from ("```yaml", "version: 1", "tests:", "  command: yarn test:integration:nc", "```", "")
    yield "`conductor init` writes a first one, `conductor check` reads it. Unknown keys are errors. A key with nothing after it"
    yield f"is as good as absent. For editors there is a [JSON schema]({SCHEMA_FILE})."
    yield ""
    yield "Durations are written `90s`, `30m`, `1h30m`, `2d`; sizes `512m`, `2g` (units of 1024). Paths lead nowhere out of the"
    yield "repository. Where a list is meant, one thing may stand alone."
    yield ""
    yield "`secrets`, `environments`, `triggers` and `workspace.image` are read from the default branch: a commit may ask for"
    yield "less, never for more. Where the default branch has no file yet, there are no secrets."
    for location in _SECTIONS:
        section = section_at(location)
        yield from (
            "",
            f"## `{'.'.join(location)}`" if location else "## The file",
            "",
            _plain(section.__doc__),
            "",
        )
        yield from _table(section)


def _table(section: type[BaseModel]) -> Iterator[str]:
    yield "| key | default | meaning |"
    yield "|---|---|---|"
    for name, field in section.model_fields.items():
        default = "needed" if field.is_required() else _default(field.get_default(call_default_factory=True))
        yield f"| `{field.alias or name}` | {default} | {_plain(field.description)} |"


def _default(value: Any) -> str:
    if value is None or value in ([], {}) or isinstance(value, BaseModel):
        return ""
    if isinstance(value, Enum):
        return f"`{value.value}`"
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{duration_text(value)}`" if isinstance(value, timedelta) else f"`{value}`"


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())


def schema_text() -> str:
    """Return the schema as it is published."""
    return json.dumps(to_jsonable_python(json_schema()), indent=2, ensure_ascii=False) + "\n"


def main(folder: str) -> None:
    """Write both files."""
    Path(folder, SCHEMA_FILE).write_text(schema_text(), encoding="utf-8")
    Path(folder, REFERENCE_FILE).write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
