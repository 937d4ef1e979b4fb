"""Real compose files, each laid into a folder of its own with the files beside it that it names."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

VARIABLE = re.compile(r"(?<!\$)\$\{?([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Sample:
    """`category` is real-app, qa-test or fixture."""

    file: Path
    category: str

    @property
    def text(self) -> str:
        return self.file.read_text(errors="replace")

    def lay_into(self, folder: Path) -> None:
        """Write it as compose.yaml, with every variable set and what it names made empty."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "compose.yaml").write_bytes(self.file.read_bytes())
        (folder / ".env").write_text(
            "".join(f"{name}=1024\n" for name in sorted(set(VARIABLE.findall(self.text))))
        )
        for path in _named(self.text):
            _touch(folder, path)


def samples() -> list[Sample]:
    root = os.environ.get("CONDUCTOR_CONTRACTS")
    if not root:
        pytest.skip("CONDUCTOR_CONTRACTS is unset: the corpus of real compose files is not here")
    folder = Path(root) / "compose"
    with (folder / "manifest.tsv").open(encoding="utf-8") as manifest:
        rows = list(csv.DictReader(manifest, delimiter="\t"))
    return [Sample(folder / row["file"], row["category"]) for row in rows]


def _touch(folder: Path, path: str) -> None:
    where = (folder / path).resolve()
    if not where.is_relative_to(folder.resolve()) or "$" in path or where.exists():
        return
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        where.touch()
    except OSError:
        return


def _named(text: str) -> Iterator[str]:
    try:
        documents = [one for one in yaml.safe_load_all(text) if isinstance(one, dict)]
    except yaml.YAMLError:
        return
    for document in documents:
        for service in _values(document.get("services")):
            yield from _of_service(service)
        for section in ("configs", "secrets"):
            yield from (str(one["file"]) for one in _values(document.get(section)) if one.get("file"))


def _of_service(service: Mapping[str, Any]) -> Iterator[str]:
    build = service.get("build")
    if isinstance(build, str):
        yield f"{build}/Dockerfile"
    elif isinstance(build, dict) and "dockerfile_inline" not in build:
        yield f"{build.get('context', '.')}/{build.get('dockerfile', 'Dockerfile')}"
    for key in ("env_file", "label_file"):
        found = service.get(key) or []
        for item in found if isinstance(found, list) else [found]:
            yield str(item.get("path") if isinstance(item, dict) else item)


def _values(section: Any) -> list[dict[str, Any]]:
    return [one for one in section.values() if isinstance(one, dict)] if isinstance(section, dict) else []
