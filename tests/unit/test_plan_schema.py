from pathlib import Path

import jsonschema
import pytest
import yaml

from conductor.plan.read import read_plan
from conductor.plan.schema import REFERENCE_FILE, SCHEMA_FILE, json_schema, reference, schema_text

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
AGAIN = "make it anew: python -m conductor.plan.schema docs/reference"

GOOD = [
    "{version: 1, tests: {command: a}}",
    "{version: 1, tests: [{name: a, command: [x, 5], image: y}], secrets: [A, {name: B, for: tests}]}",
    "{version: 1, tests: {command: a, build: {target: null, args: {A: 1}}, timeout: 1h30m, memory: 512m, cpus: 1.5}}",
    "{version: 1, tests: {command: a}, stack: {compose: [a, b], ready_timeout: 90s}, cleanup: always, keep_for: 2d}",
    "{version: 1, workspace: {template: t, image: x, parameters: {a: true}}, environments: [qa], triggers: {tags: [a-*]}}",
]
BAD = [
    "{version: 2, tests: {command: a}}",
    "{version: 1, tests: {command: a, zzz: 1}}",
    "{version: 1, tests: {command: a, image: x, service: y}}",
    "{version: 1, tests: {command: a, timeout: 30}}",
    "{version: 1, tests: {command: a}, cleanup: never}",
    "{version: 1, tests: {command: a}, secrets: [a-b]}",
]


@pytest.mark.parametrize("text", GOOD)
def test_what_the_reader_takes_the_schema_takes(text: str):
    jsonschema.validate(yaml.safe_load(text), json_schema())
    assert read_plan(text.encode(), has_file=lambda _: True).version == 1


@pytest.mark.parametrize("text", BAD)
def test_what_the_schema_refuses_is_marked_in_the_editor_before_the_reader_says_it(text: str):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), json_schema())


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_the_published_schema_is_that_of_the_model():
    assert (REFERENCE / SCHEMA_FILE).read_text() == schema_text(), AGAIN


def test_the_published_reference_is_that_of_the_model():
    assert (REFERENCE / REFERENCE_FILE).read_text() == reference(), AGAIN


def test_every_key_is_explained():
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 30
    assert [row for row in rows if not row.split("|")[3].strip()] == []
