"""What is shipped in `deploy/`, as a cluster would get it: by kustomize, and by Helm."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[3] / "deploy"
BASE = DEPLOY / "kustomize" / "base"
OVERLAYS = DEPLOY / "kustomize" / "overlays"
CHART = DEPLOY / "helm" / "conductor"
KUBECTL = Path(sys.executable).with_name("kubectl")
_RENDER = """
import json, sys, helm_python
folder, values, namespace = json.loads(sys.argv[1])
with helm_python.Chart.load(folder) as chart:
    chart.validate_schema(values)
    print(json.dumps(chart.render(values, name="conductor", namespace=namespace)))
"""
"""In a process of its own: Helm is a Go library, which takes signals and threads for itself."""
Manifest = dict[str, Any]


class NotRenderedError(Exception):
    """What a chart refuses."""


def kustomize(folder: Path) -> list[Manifest]:
    """Build a kustomization."""
    return [thing for thing in yaml.safe_load_all(_built(folder)) if thing]


def helm(*files: str, namespace: str = "conductor", **values: Any) -> list[Manifest]:
    """Render the chart by some of its files of values, and by values of one's own."""
    given: dict[str, Any] = {}
    for file in files:
        given |= yaml.safe_load((CHART / file).read_text())
    documents = json.loads(_rendered(json.dumps([str(CHART), given | values, namespace]))).values()
    things = [thing for text in documents for thing in yaml.safe_load_all(text) if thing]
    return sorted(things, key=lambda thing: bool(thing["kind"] != "Namespace"))  # as Helm installs them


@cache
def _built(folder: Path) -> str:
    command = [KUBECTL, "kustomize", folder]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@cache
def _rendered(asked: str) -> str:
    command = [sys.executable, "-c", _RENDER, asked]
    made = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if made.returncode:
        raise NotRenderedError(made.stderr)
    return made.stdout


def by_name(things: Sequence[Manifest]) -> Mapping[tuple[str, str, str], Manifest]:
    """Key objects by kind, namespace and name; two of one name are a mistake."""
    keyed = {identity(thing): thing for thing in things}
    assert len(keyed) == len(things), "an object is there twice"
    return keyed


def identity(thing: Manifest) -> tuple[str, str, str]:
    return thing["kind"], thing["metadata"].get("namespace", ""), thing["metadata"]["name"]
