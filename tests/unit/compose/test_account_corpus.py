"""Every key of every real compose file is accounted for, and whatever an engine refuses has a place in a file."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from tests.unit.compose.corpus import Sample, samples
from tests.unit.compose.yaml_keys import key_places

from conductor.bootstrap import renderers
from conductor.cli.manifests import file_names, stream
from conductor.domain.account import Treatment
from conductor.operations.convert import Conversion, ConvertRequest, convert

pytestmark = pytest.mark.slow
ENGINES = renderers()


def converted(sample: Sample, folder: Path, engine: str) -> Conversion:
    return convert(ConvertRequest(folder=folder, profiles=("*",)), engine=engine, engines=ENGINES)


def unaccounted(sample: Sample, made: Conversion) -> int:
    """Count the keys that YAML has and the account has not. A file that is no YAML, or no compose file at all, has none."""
    places = {(entry.line, entry.column) for entry in made.account if entry.file == "compose.yaml"}
    if not places and made.mistakes:
        return 0
    return len(key_places(sample.text) - places)


@pytest.mark.timeout(280)
@pytest.mark.parametrize("engine", [one.name for one in ENGINES])
def test_no_key_of_a_real_file_is_unaccounted_for_and_none_crashes(
    tmp_path: Path, engine: str, capsys: pytest.CaptureFixture[str]
):
    tallies: dict[str, Counter[str]] = {}
    for number, sample in enumerate(samples()):
        folder = tmp_path / str(number)
        sample.lay_into(folder)
        made = converted(sample, folder, engine)
        tally = tallies.setdefault(sample.category, Counter())
        tally["files"] += 1
        tally["mistaken" if made.mistakes else "refused" if made.refused else "converted"] += 1
        tally["keys"] += len(made.account)
        tally["keys refused"] += sum(entry.on(engine) is Treatment.REFUSED for entry in made.account)
        tally["keys unaccounted for"] += unaccounted(sample, made)
        assert all(problem.file and problem.line for problem in made.refused), (
            sample.file.name,
            made.refused,
        )
        assert all(p.remedy for p in made.refused), (sample.file.name, made.refused)
        if made.refused and not made.mistakes:
            assert any(entry.on(engine) is Treatment.REFUSED for entry in made.account), sample.file.name
        assert len(list(yaml.safe_load_all(stream(made.objects)))) == len(set(file_names(made.objects)))
    with capsys.disabled():
        for category, tally in sorted(tallies.items()):
            sys.stdout.write(f"\n{engine} {category}: {dict(tally)}")
    assert sum(tally["keys unaccounted for"] for tally in tallies.values()) == 0
    assert sum(tally["files"] for tally in tallies.values()) == len(samples())
