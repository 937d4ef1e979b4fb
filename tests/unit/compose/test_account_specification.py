"""Nothing of the specification is unaccounted for: every property, in every form that its schema allows, is converted or refused."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.compose.specification import compose_files
from tests.unit.compose.yaml_keys import key_places

from conductor.bootstrap import renderers
from conductor.domain.account import Treatment
from conductor.operations.convert import ConvertRequest, convert

ENGINES = renderers()
NAMED = {
    "api/Dockerfile": "FROM scratch\n",
    "docs/readme": "",
    "more.yaml": "services: {other: {image: other}}\n",
    "web.env": "A=b\n",
}
"""The files that the generated compose files name."""
WRONG_ALL_THE_SAME = {"a hook needs its `command`", "`pid` has no value"}
"""The schema lets both be null: the first is required besides, and docker-compose 2.40 panics at the second."""


def written(folder: Path, file: dict[str, Any]) -> str:
    for name, text in NAMED.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    text = yaml.safe_dump(file, sort_keys=False)
    (folder / "compose.yaml").write_text(text)
    return text


def test_every_form_of_every_property_is_in_the_account(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    tally: Counter[str] = Counter()
    for name, file in compose_files():
        text = written(tmp_path, file)
        made = convert(ConvertRequest(folder=tmp_path), engine="docker", engines=ENGINES)
        own = [entry for entry in made.account if entry.file == "compose.yaml"]
        assert {(entry.line, entry.column) for entry in own} >= key_places(text), name
        assert all(problem.message in WRONG_ALL_THE_SAME for problem in made.mistakes), (name, made.mistakes)
        tally["files"] += 1
        for entry in own:
            refusals = [found for engine in ENGINES if (found := entry.refusal_on(engine.name))]
            assert all(found.why and (found.instead or made.mistakes) for found in refusals), (name, entry)
            tally[f"on {len(ENGINES) - len(refusals)} engines"] += 1
    with capsys.disabled():
        sys.stdout.write(f"\n{dict(tally)}\n")
    assert tally["files"] > 300
    assert tally["on 0 engines"]
    assert tally["on 1 engines"]


def test_what_is_generated_has_every_property_of_a_service():
    from tests.unit.compose.specification import schema

    properties = {f"services.{name}" for name in schema()["definitions"]["service"]["properties"]}
    assert properties <= {name.rpartition(" ")[0] for name, _ in compose_files()}


def test_an_engine_that_refuses_a_key_has_it_refused_in_the_account_and_the_other_has_it_converted(
    tmp_path: Path,
):
    (tmp_path / "compose.yaml").write_text("services: {web: {image: app, domainname: example.com}}")
    made = convert(ConvertRequest(folder=tmp_path), engine="docker", engines=ENGINES)
    (entry,) = [entry for entry in made.account if entry.path == "services.web.domainname"]
    assert entry.on("docker") is Treatment.CONVERTED
    assert entry.on("kubernetes") is Treatment.REFUSED
    assert made.refused == ()
