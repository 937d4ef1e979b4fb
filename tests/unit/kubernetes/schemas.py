"""Is a manifest valid? What `kubernetes-validate --strict` says, with each schema read once instead of for every object."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
from kubernetes_validate import utils
from referencing import Registry, Resource

ROOT = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
LAST_THREE = tuple(dict.fromkeys(map(utils.major_minor, utils.all_versions())))[-3:]


def errors(manifest: Mapping[str, Any], version: str) -> list[str]:
    """Say what is wrong with a manifest for a version of Kubernetes, `1.37`."""
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", manifest["apiVersion"])
    found = _validator(manifest["kind"].lower(), group, version).iter_errors(manifest)
    return [f"{'.'.join(map(str, error.path))}: {error.message}" for error in found]


@cache
def _validator(kind: str, group: str, version: str) -> Any:
    folder = _folder(version)
    schema = json.loads((folder / f"{kind}-{group}.json").read_text())
    registry = Resource.from_contents(schema) @ (_definitions(folder) @ Registry())
    return jsonschema.validators.Draft202012Validator(schema, registry=registry)


@cache
def _definitions(folder: Path) -> Any:
    return Resource.from_contents(json.loads((folder / "_definitions.json").read_text()))


@cache
def _folder(version: str) -> Path:
    full = [each for each in utils.all_versions() if utils.major_minor(each) == version][-1]
    return ROOT / f"v{full}-local-strict"
