"""checkov finds nothing of high severity in what Conductor makes of the shop, and of the compose files that others wrote.

checkov comes from its package by `uv tool run`, apart from what Conductor needs: the tests alone use it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.unit.kubernetes.corpus import samples
from tests.unit.kubernetes.severities import HIGH, severity

from conductor.adapters.kubernetes.manifests.site import Site
from conductor.adapters.kubernetes.renderer import KubernetesRenderer
from conductor.domain.stack import Service, Stack
from conductor.operations.convert import ConvertRequest, convert
from conductor.ports.engine import Place

pytestmark = pytest.mark.slow
CHECKOV = ("uv", "tool", "run", "--quiet", "--from", "checkov==3.3.30", "checkov")
HOW = ("--framework", "kubernetes", "--output", "json", "--quiet", "--compact", "--skip-download")
SHOP = Path(__file__).parents[3] / "examples" / "shop"
RENDERER = KubernetesRenderer(Site())
FETCH_SECONDS, LOOK_SECONDS = 120, 240


@pytest.fixture(scope="module")
def checkov() -> Sequence[str]:
    """The command; skips where it cannot be had."""
    if not shutil.which("uv"):
        pytest.skip("uv is not installed: checkov is run by it")
    try:
        tried = subprocess.run(
            [*CHECKOV, "--version"], capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the package index does not answer: checkov cannot be had")
    if tried.returncode:
        pytest.skip(f"checkov cannot be had: {tried.stderr.strip()[-200:]}")
    return CHECKOV


def written(folder: Path, name: str, objects: Iterable[Mapping[str, object]]) -> Path:
    """Write objects as checkov reads them: one list."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [dict(one) for one in objects]}))
    return file


def looked_at(checkov: Sequence[str], folder: Path) -> tuple[list[str], int, set[str]]:
    """Return what is found (`check resource`), how many checks were passed, and the files that were looked at."""
    done = subprocess.run(
        [*checkov, "--directory", str(folder), *HOW],
        capture_output=True,
        text=True,
        timeout=LOOK_SECONDS,
        check=False,
    )
    answer: Any = json.loads(done.stdout)
    assert not isinstance(answer, list), "one framework, one report"
    assert answer["summary"]["parsing_errors"] == 0, answer["results"]["parsing_errors"]
    failed = answer["results"]["failed_checks"]
    found = [f"{one['check_id']} {one['file_path']} {one['resource']}" for one in failed]
    return found, answer["summary"]["passed"], {one["file_path"].strip("/") for one in failed}


def high(found: Iterable[str]) -> list[str]:
    return [one for one in found if severity(one.partition(" ")[0]) == HIGH]


def of_shop() -> Sequence[Mapping[str, object]]:
    return convert(ConvertRequest(folder=SHOP), engine="kubernetes", engines=[RENDERER]).objects


def test_the_shop_has_no_high_finding(checkov: Sequence[str], tmp_path: Path):
    file = written(tmp_path, "shop", of_shop())
    found, passed, files = looked_at(checkov, tmp_path)
    assert high(found) == []
    assert files == {file.name}
    assert passed > len(found)


def test_what_is_high_is_found_as_such(checkov: Sequence[str], tmp_path: Path):
    """Else the test above could not fail."""
    stack = Stack(name="s", services=(Service(name="web", image="web"),))
    objects: Any = json.loads(json.dumps(RENDERER.render(Place(namespace="n", run="n"), stack)))
    job = next(one for one in objects if one["kind"] == "Job")
    job["spec"]["template"]["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    written(tmp_path, "s", objects)
    assert [one.partition(" ")[0] for one in high(looked_at(checkov, tmp_path)[0])] == ["CKV_K8S_16"]


def test_what_others_wrote_has_no_high_finding(
    checkov: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """QA stacks, real applications and fixtures: all that is converted."""
    (tmp_path / "corpus").mkdir()
    (tmp_path / "made").mkdir()
    counts: Counter[str] = Counter()
    with_pods = set()
    for number, sample in enumerate(samples(tmp_path / "corpus")):
        stack = sample.loaded.stack
        if sample.loaded.problems or RENDERER.unsupported(stack):
            continue
        place = Place(namespace=f"n{number}", run="n", checkout=str(sample.checkout))
        objects: Any = RENDERER.render(place, stack)
        file = written(tmp_path / "made", str(number), objects)
        with_pods |= {file.name} if any("template" in one.get("spec", {}) for one in objects) else set()
        counts[sample.category] += 1
    found, passed, files = looked_at(checkov, tmp_path / "made")
    severities = Counter(severity(one.partition(" ")[0]) for one in found)
    with capsys.disabled():
        print(f"\ncheckov: {dict(counts)}, {passed} checks passed, findings {dict(severities)}")  # noqa: T201
    assert high(found) == []
    assert files == with_pods
    assert set(counts) == {"qa-test", "real-app", "fixture"}
