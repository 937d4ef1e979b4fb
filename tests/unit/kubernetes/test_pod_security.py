"""Our checker of Pod Security tells the right thing of Kubernetes' own fixtures, and our pods pass it."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
import yaml
from tests.unit.kubernetes.pod_security import breaks


def fixtures() -> list[tuple[str, str, Path]]:
    root = os.environ.get("CONDUCTOR_CONTRACTS")
    if not root:
        pytest.skip("CONDUCTOR_CONTRACTS is unset: the Pod Security fixtures are not here")
    files = sorted((Path(root) / "psa").glob("*/*/*/*.yaml"))
    return [(file.parts[-4], file.parts[-2], file) for file in files]


def test_every_fixture_of_pod_security_is_told_right():
    told: Counter[str] = Counter()
    wrong = []
    for level, verdict, file in fixtures():
        found = breaks(level, yaml.safe_load(file.read_text()))
        told[f"{level} {verdict}"] += 1
        if bool(found) != (verdict == "fail"):
            wrong.append(f"{level}/{verdict}/{file.name}: {found}")
    assert wrong == []
    assert sum(told.values()) >= 148, told
