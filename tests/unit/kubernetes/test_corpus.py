"""Compose files that others wrote, as manifests: all that load are converted or refused with the reason, and what is made is valid."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.kubernetes.corpus import samples
from tests.unit.kubernetes.pod_security import breaks
from tests.unit.kubernetes.schemas import LAST_THREE, errors

from conductor.adapters.kubernetes.manifests.site import Site
from conductor.adapters.kubernetes.renderer import KubernetesRenderer
from conductor.ports.engine import Place

pytestmark = pytest.mark.slow

RENDERER = KubernetesRenderer(Site())
NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
LABEL = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
KEY = re.compile(r"(?:[a-z0-9.-]{1,253}/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
FLOORS = {"real-app": 30, "qa-test": 7, "fixture": 226}
"""Files converted when this was written: fewer is a step back."""


def manifests(made: Any) -> list[Any]:
    return [json.loads(json.dumps(each)) for each in made]


def wrong_names(thing: Any) -> Iterator[str]:
    """Say which names, labels and selectors a schema lets pass and an API server does not."""
    metadata = thing["metadata"]
    labelled = LABEL if thing["kind"] in ("Service", "Namespace") else NAME
    if not labelled.fullmatch(metadata["name"]):
        yield f"name {metadata['name']}"
    for labels in each_labels(thing):
        for key, value in labels.items():
            if not KEY.fullmatch(key) or not VALUE.fullmatch(value):
                yield f"label {key}: {value}"


def each_labels(thing: Any) -> Iterator[Mapping[str, str]]:
    if isinstance(thing, dict):
        for key, value in thing.items():
            if key in ("labels", "matchLabels", "selector") and all(
                isinstance(v, str) for v in value.values()
            ):
                yield value
            yield from each_labels(value)
    elif isinstance(thing, list):
        for each in thing:
            yield from each_labels(each)


def test_the_corpus_becomes_valid_manifests_or_is_refused_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Valid for the last three versions of Kubernetes, its names too, and within Pod Security `baseline`."""
    counts: Counter[str] = Counter()
    levels: Counter[str] = Counter()
    seen: dict[bytes, str] = {}
    wrong: list[str] = []
    for sample in samples(tmp_path):
        if sample.loaded.problems:
            counts[f"{sample.category} not loaded"] += 1
            assert all(p.message and p.line for p in sample.loaded.problems if p.file), sample.name
            continue
        stack = sample.loaded.stack
        place = Place(namespace="conductor-x", run="x", checkout=str(sample.checkout))
        made, again = (manifests(RENDERER.render(place, stack)) for _ in range(2))
        assert made == again, sample.name
        assert len({(m["kind"], m["metadata"]["name"]) for m in made}) == len(made), sample.name
        refusals = RENDERER.unsupported(stack)
        assert all(entry.path and entry.why and entry.instead for entry in refusals), sample.name
        counts[f"{sample.category} {'refused' if refusals else 'converted'}"] += 1
        if refusals:
            continue
        wrong += [f"{sample.name}: {name}" for manifest in made for name in wrong_names(manifest)]
        pods = [m["spec"]["template"] for m in made if "template" in m.get("spec", {})]
        wrong += [f"{sample.name}: baseline: {found}" for pod in pods for found in breaks("baseline", pod)]
        levels["restricted" if not any(breaks("restricted", pod) for pod in pods) else "baseline"] += 1
        seen |= {hashlib.sha256(json.dumps(m, sort_keys=True).encode()).digest(): m for m in made}
    for manifest in seen.values():
        wrong += [f"{version}: {error}" for version in LAST_THREE for error in errors(manifest, version)]
    shown = f"{dict(sorted(counts.items()))}; Pod Security {dict(levels)}; {len(seen)} objects"
    with capsys.disabled():
        print(f"\nKubernetes: {shown}")  # noqa: T201
    assert wrong == []
    assert {
        category: counts[f"{category} converted"] >= least for category, least in FLOORS.items()
    } == dict.fromkeys(FLOORS, True)
